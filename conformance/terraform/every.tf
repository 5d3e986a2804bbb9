# Every argument and block that the provider has for services and their load balancers, at least once.
# test_terraform.py has the list of those that are left out, and a comment here says why.

resource "aws_lb" "every" {
  name               = "every"
  load_balancer_type = "application"
  internal           = false
  ip_address_type    = "dualstack"
  security_groups    = [local.group]

  client_keep_alive                           = 1800
  desync_mitigation_mode                      = "strictest"
  drop_invalid_header_fields                  = true
  enable_cross_zone_load_balancing            = true
  enable_deletion_protection                  = true
  enable_http2                                = false
  enable_tls_version_and_cipher_suite_headers = true
  enable_waf_fail_open                        = true
  enable_xff_client_port                      = true
  enable_zonal_shift                          = true
  idle_timeout                                = 120
  preserve_host_header                        = true
  xff_header_processing_mode                  = "preserve"
  # customer_owned_ipv4_pool: only in subnets of AWS Outposts.

  access_logs {
    bucket  = "logs"
    prefix  = "access"
    enabled = true
  }

  connection_logs {
    bucket  = "logs"
    prefix  = "connections"
    enabled = true
  }

  ipam_pools {
    ipv4_ipam_pool_id = "ipam-pool-0123456789abcdef0"
  }

  minimum_load_balancer_capacity {
    capacity_units = 200
  }

  subnet_mapping {
    subnet_id = local.subnets[0]
  }

  subnet_mapping {
    subnet_id = local.subnets[1]
  }

  tags = { team = "every" }
}

resource "aws_lb" "inside" {
  name_prefix        = "in-"
  load_balancer_type = "network"
  internal           = true
  ip_address_type    = "ipv4"
  security_groups    = [local.group]

  dns_record_client_routing_policy                             = "partial_availability_zone_affinity"
  enable_cross_zone_load_balancing                             = true
  enable_zonal_shift                                           = true
  enforce_security_group_inbound_rules_on_private_link_traffic = "off"

  access_logs {
    bucket  = "logs"
    enabled = false
  }

  minimum_load_balancer_capacity {
    capacity_units = 5500
  }

  subnet_mapping {
    subnet_id            = local.subnets[0]
    private_ipv4_address = "10.0.0.15"
  }

  subnet_mapping {
    subnet_id            = local.subnets[1]
    private_ipv4_address = "10.0.1.15"
  }
}

resource "aws_lb" "outside" {
  name               = "outside"
  load_balancer_type = "network"
  ip_address_type    = "dualstack"

  subnet_mapping {
    subnet_id     = local.subnets[0]
    allocation_id = "eipalloc-0123456789abcdef0"
    ipv6_address  = "2001:db8::15"
  }

  subnet_mapping {
    subnet_id     = local.subnets[1]
    allocation_id = "eipalloc-0123456789abcdef1"
    ipv6_address  = "2001:db8:0:1::15"
  }
}

resource "aws_lb" "gateway" {
  name                             = "gateway"
  load_balancer_type               = "gateway"
  subnets                          = local.subnets
  enable_cross_zone_load_balancing = true
}

# The groups of the pair that takes turns.
resource "aws_lb_target_group" "pair" {
  for_each    = toset(["pair", "pair-green"])
  name        = each.key
  port        = 8080
  protocol    = "HTTP"
  vpc_id      = local.vpc
  target_type = "ip"

  deregistration_delay          = 30
  ip_address_type               = "ipv4"
  load_balancing_algorithm_type = "round_robin"
  protocol_version              = "HTTP2"
  slow_start                    = 30

  health_check {
    enabled             = true
    healthy_threshold   = 2
    interval            = 10
    matcher             = "200,204"
    path                = "/up"
    port                = "8080"
    protocol            = "HTTP"
    timeout             = 4
    unhealthy_threshold = 2
  }

  # Not enabled, here and in the rule: the engine `listener` refuses such a pair.
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 3600
    enabled         = false
  }

  target_group_health {
    dns_failover {
      minimum_healthy_targets_count      = "2"
      minimum_healthy_targets_percentage = "50"
    }

    unhealthy_state_routing {
      minimum_healthy_targets_count      = 2
      minimum_healthy_targets_percentage = "50"
    }
  }

  tags = { team = "every" }
}

resource "aws_lb_target_group" "alone" {
  name        = "alone"
  port        = 8080
  protocol    = "HTTPS"
  vpc_id      = local.vpc
  target_type = "ip"

  load_balancing_algorithm_type = "least_outstanding_requests"

  stickiness {
    type            = "app_cookie"
    cookie_name     = "session"
    cookie_duration = 3600
  }
}

resource "aws_lb_target_group" "grpc" {
  name_prefix = "grpc-"
  port        = 50051
  protocol    = "HTTP"
  vpc_id      = local.vpc
  target_type = "instance"

  load_balancing_algorithm_type     = "weighted_random"
  load_balancing_anomaly_mitigation = "on"
  protocol_version                  = "GRPC"

  health_check {
    path    = "/up.Health/Check"
    matcher = "0-99"
  }
}

resource "aws_lb_target_group" "lambda" {
  name                               = "lambda"
  target_type                        = "lambda"
  lambda_multi_value_headers_enabled = true
}

resource "aws_lb_target_group" "tcp" {
  name        = "tcp"
  port        = 7000
  protocol    = "TCP"
  vpc_id      = local.vpc
  target_type = "ip"

  connection_termination            = true
  load_balancing_cross_zone_enabled = "true"
  preserve_client_ip                = "true"
  proxy_protocol_v2                 = true

  stickiness {
    type    = "source_ip"
    enabled = true
  }

  target_health_state {
    enable_unhealthy_connection_termination = false
    unhealthy_draining_interval             = 600
  }
}

resource "aws_lb_target_group" "tls" {
  name        = "tls"
  port        = 7443
  protocol    = "TLS"
  vpc_id      = local.vpc
  target_type = "ip"

  stickiness {
    type    = "source_ip"
    enabled = false
  }
}

resource "aws_lb_target_group" "alb" {
  name        = "alb"
  port        = 80
  protocol    = "TCP"
  vpc_id      = local.vpc
  target_type = "alb"

  health_check {
    protocol = "HTTP"
    path     = "/up"
  }
}

resource "aws_lb_target_group" "geneve" {
  name        = "geneve"
  port        = 6081
  protocol    = "GENEVE"
  vpc_id      = local.vpc
  target_type = "ip"

  health_check {
    port     = "80"
    protocol = "TCP"
  }

  stickiness {
    type    = "source_ip_dest_ip"
    enabled = true
  }

  target_failover {
    on_deregistration = "rebalance"
    on_unhealthy      = "rebalance"
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.every.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      host        = "#{host}"
      path        = "/#{path}"
      port        = "443"
      protocol    = "HTTPS"
      query       = "#{query}"
      status_code = "HTTP_301"
    }
  }

  tags = { team = "every" }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.every.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = local.certificates[0]

  routing_http_request_x_amzn_mtls_clientcert_header_name               = "x-cert"
  routing_http_request_x_amzn_mtls_clientcert_issuer_header_name        = "x-cert-issuer"
  routing_http_request_x_amzn_mtls_clientcert_leaf_header_name          = "x-cert-leaf"
  routing_http_request_x_amzn_mtls_clientcert_serial_number_header_name = "x-cert-serial-number"
  routing_http_request_x_amzn_mtls_clientcert_subject_header_name       = "x-cert-subject"
  routing_http_request_x_amzn_mtls_clientcert_validity_header_name      = "x-cert-validity"
  routing_http_request_x_amzn_tls_cipher_suite_header_name              = "x-cipher-suite"
  routing_http_request_x_amzn_tls_version_header_name                   = "x-tls-version"
  routing_http_response_access_control_allow_credentials_header_value   = "true"
  routing_http_response_access_control_allow_headers_header_value       = "x-shop"
  routing_http_response_access_control_allow_methods_header_value       = "GET,POST"
  routing_http_response_access_control_allow_origin_header_value        = "https://example.com"
  routing_http_response_access_control_expose_headers_header_value      = "x-shop"
  routing_http_response_access_control_max_age_header_value             = "600"
  routing_http_response_content_security_policy_header_value            = "default-src 'self'"
  routing_http_response_server_enabled                                  = false
  routing_http_response_strict_transport_security_header_value          = "max-age=63072000"
  routing_http_response_x_content_type_options_header_value             = "nosniff"
  routing_http_response_x_frame_options_header_value                    = "DENY"

  default_action {
    type  = "authenticate-oidc"
    order = 1

    authenticate_oidc {
      authentication_request_extra_params = { display = "page" }
      authorization_endpoint              = "https://login.example.com/authorize"
      client_id                           = "every"
      client_secret                       = "secret"
      issuer                              = "https://login.example.com"
      on_unauthenticated_request          = "deny"
      scope                               = "openid email"
      session_cookie_name                 = "login"
      session_timeout                     = 3600
      token_endpoint                      = "https://login.example.com/token"
      user_info_endpoint                  = "https://login.example.com/user"
    }
  }

  default_action {
    type  = "fixed-response"
    order = 2

    fixed_response {
      content_type = "text/plain"
      message_body = "nothing here"
      status_code  = "404"
    }
  }

  mutual_authentication {
    mode                             = "verify"
    trust_store_arn                  = "arn:aws:elasticloadbalancing:${var.region}:${local.account}:truststore/every/0123456789abcdef"
    ignore_client_certificate_expiry = true
    advertise_trust_store_ca_names   = "on"
  }
}

resource "aws_lb_listener" "login" {
  load_balancer_arn = aws_lb.every.arn
  port              = 8443
  protocol          = "HTTPS"
  certificate_arn   = local.certificates[0]

  default_action {
    type = "authenticate-cognito"

    authenticate_cognito {
      authentication_request_extra_params = { display = "page" }
      on_unauthenticated_request          = "authenticate"
      scope                               = "openid"
      session_cookie_name                 = "login"
      session_timeout                     = 3600
      user_pool_arn                       = local.user_pool
      user_pool_client_id                 = "every"
      user_pool_domain                    = "every"
    }
  }

  default_action {
    type = "forward"

    forward {
      stickiness {
        enabled  = true
        duration = 600
      }

      target_group {
        arn = aws_lb_target_group.alone.arn
      }
    }
  }
}

resource "aws_lb_listener_certificate" "https" {
  listener_arn    = aws_lb_listener.https.arn
  certificate_arn = local.certificates[1]
}

resource "aws_lb_listener" "tcp" {
  load_balancer_arn        = aws_lb.inside.arn
  port                     = 7000
  protocol                 = "TCP"
  tcp_idle_timeout_seconds = 600

  default_action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.tcp.arn
        weight = 1
      }
    }
  }
}

resource "aws_lb_listener" "tls" {
  load_balancer_arn = aws_lb.outside.arn
  port              = 7443
  protocol          = "TLS"
  alpn_policy       = "HTTP2Preferred"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = local.certificates[0]

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tls.arn
  }
}

resource "aws_lb_listener" "gateway" {
  load_balancer_arn = aws_lb.gateway.arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.geneve.arn
  }
}

resource "aws_lb_listener_rule" "pair" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10

  action {
    type  = "authenticate-cognito"
    order = 1

    authenticate_cognito {
      authentication_request_extra_params = { display = "page" }
      on_unauthenticated_request          = "allow"
      scope                               = "openid"
      session_cookie_name                 = "login"
      session_timeout                     = 3600
      user_pool_arn                       = local.user_pool
      user_pool_client_id                 = "every"
      user_pool_domain                    = "every"
    }
  }

  action {
    type  = "forward"
    order = 2

    forward {
      stickiness {
        enabled  = false
        duration = 600
      }

      target_group {
        arn    = aws_lb_target_group.pair["pair"].arn
        weight = 100
      }

      target_group {
        arn    = aws_lb_target_group.pair["pair-green"].arn
        weight = 0
      }
    }
  }

  condition {
    host_header {
      values = ["pair.example.com"]
    }
  }

  tags = { team = "every" }

  lifecycle {
    ignore_changes = [action]
  }
}

resource "aws_lb_listener_rule" "alone" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 20

  action {
    type = "authenticate-oidc"

    authenticate_oidc {
      authentication_request_extra_params = { display = "page" }
      authorization_endpoint              = "https://login.example.com/authorize"
      client_id                           = "every"
      client_secret                       = "secret"
      issuer                              = "https://login.example.com"
      on_unauthenticated_request          = "authenticate"
      scope                               = "openid"
      session_cookie_name                 = "login"
      session_timeout                     = 3600
      token_endpoint                      = "https://login.example.com/token"
      user_info_endpoint                  = "https://login.example.com/user"
    }
  }

  action {
    type = "forward"

    forward {
      stickiness {
        enabled  = true
        duration = 600
      }

      target_group {
        arn = aws_lb_target_group.alone.arn
      }
    }
  }

  condition {
    path_pattern {
      values = ["/alone/*"]
    }
  }

  condition {
    source_ip {
      values = ["192.0.2.0/24", "2001:db8::/32"]
    }
  }
}

resource "aws_lb_listener_rule" "moved" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 10

  action {
    type = "redirect"

    redirect {
      host        = "new.example.com"
      path        = "/new"
      port        = "443"
      protocol    = "HTTPS"
      query       = "from=old"
      status_code = "HTTP_302"
    }
  }

  condition {
    http_header {
      http_header_name = "X-Old"
      values           = ["yes", "y*"]
    }
  }

  condition {
    http_request_method {
      values = ["GET", "HEAD"]
    }
  }
}

resource "aws_lb_listener_rule" "closed" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 20

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "application/json"
      message_body = "{}"
      status_code  = "503"
    }
  }

  condition {
    query_string {
      key   = "closed"
      value = "yes"
    }

    query_string {
      value = "closed"
    }
  }
}

resource "aws_lb_listener_rule" "lambda" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 30

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.lambda.arn
  }

  condition {
    path_pattern {
      values = ["/lambda/*"]
    }
  }
}

resource "aws_ecs_cluster" "every" {
  name = "every"

  configuration {
    execute_command_configuration {
      kms_key_id = "every"
      logging    = "OVERRIDE"

      log_configuration {
        cloud_watch_encryption_enabled = true
        cloud_watch_log_group_name     = "/every/commands"
        s3_bucket_encryption_enabled   = true
        s3_bucket_name                 = "logs"
        s3_key_prefix                  = "commands"
      }
    }

    managed_storage_configuration {
      fargate_ephemeral_storage_kms_key_id = "every"
      kms_key_id                           = "every"
    }
  }

  service_connect_defaults {
    namespace = local.namespace
  }

  setting {
    name  = "containerInsights"
    value = "enhanced"
  }

  tags = { team = "every" }
}

resource "aws_ecs_capacity_provider" "every" {
  name = "every"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = "arn:aws:autoscaling:${var.region}:${local.account}:autoScalingGroup:01234567-89ab-cdef-0123-456789abcdef:autoScalingGroupName/every"
    managed_draining               = "DISABLED"
    managed_termination_protection = "ENABLED"

    managed_scaling {
      instance_warmup_period    = 120
      maximum_scaling_step_size = 10
      minimum_scaling_step_size = 2
      status                    = "ENABLED"
      target_capacity           = 90
    }
  }

  tags = { team = "every" }
}

resource "aws_ecs_cluster_capacity_providers" "every" {
  cluster_name       = aws_ecs_cluster.every.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT", aws_ecs_capacity_provider.every.name]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 3
  }

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "every" {
  family                   = "every"
  cpu                      = "1024"
  memory                   = "2048"
  enable_fault_injection   = true
  execution_role_arn       = "${local.roles}/execution"
  network_mode             = "awsvpc"
  pid_mode                 = "task"
  requires_compatibilities = ["FARGATE"]
  skip_destroy             = true
  task_role_arn            = "${local.roles}/task"
  track_latest             = false

  container_definitions = jsonencode([
    {
      name         = "web"
      image        = "registry.example.com/every/web:${var.image}"
      cpu          = 512
      memory       = 1024
      essential    = true
      portMappings = [{ name = "http", containerPort = 8080, hostPort = 8080, protocol = "tcp", appProtocol = "http" }]

      command                = ["serve"]
      dependsOn              = [{ containerName = "init", condition = "SUCCESS" }]
      dockerLabels           = { team = "every" }
      entryPoint             = ["/bin/web"]
      environment            = [{ name = "B", value = "2" }, { name = "A", value = "1" }]
      environmentFiles       = [{ type = "s3", value = "arn:aws:s3:::every/web.env" }]
      interactive            = false
      memoryReservation      = 512
      mountPoints            = [{ sourceVolume = "files", containerPath = "/files", readOnly = true }]
      pseudoTerminal         = false
      readonlyRootFilesystem = true
      repositoryCredentials  = { credentialsParameter = "arn:aws:secretsmanager:${var.region}:${local.account}:secret:registry" }
      resourceRequirements   = []
      restartPolicy          = { enabled = true, ignoredExitCodes = [0], restartAttemptPeriod = 60 }
      secrets                = [{ name = "TOKEN", valueFrom = "arn:aws:ssm:${var.region}:${local.account}:parameter/every/token" }]
      startTimeout           = 60
      stopTimeout            = 30
      systemControls         = [{ namespace = "net.ipv4.tcp_keepalive_time", value = "600" }]
      ulimits                = [{ name = "nofile", softLimit = 4096, hardLimit = 8192 }]
      user                   = "1000:1000"
      versionConsistency     = "enabled"
      workingDirectory       = "/srv"

      healthCheck = {
        command     = ["CMD-SHELL", "curl -f http://localhost:8080/up"]
        interval    = 10
        retries     = 2
        startPeriod = 5
        timeout     = 4
      }

      linuxParameters = {
        capabilities       = { add = ["SYS_PTRACE"], drop = ["NET_RAW"] }
        initProcessEnabled = true
      }

      logConfiguration = {
        logDriver     = "awsfirelens"
        options       = { Name = "http" }
        secretOptions = [{ name = "key", valueFrom = "arn:aws:ssm:${var.region}:${local.account}:parameter/every/key" }]
      }
    },
    {
      name        = "init"
      image       = "registry.example.com/every/init:1"
      essential   = false
      mountPoints = [{ sourceVolume = "data", containerPath = "/data" }]
    },
    {
      name                  = "router"
      image                 = "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable"
      essential             = true
      firelensConfiguration = { type = "fluentbit", options = { enable-ecs-log-metadata = "true" } }
      volumesFrom           = [{ sourceContainer = "init", readOnly = true }]
    },
  ])

  ephemeral_storage {
    size_in_gib = 40
  }

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  volume {
    name = "files"

    efs_volume_configuration {
      file_system_id          = "fs-0123456789abcdef0"
      root_directory          = "/"
      transit_encryption      = "ENABLED"
      transit_encryption_port = 2999

      authorization_config {
        access_point_id = "fsap-0123456789abcdef0"
        iam             = "ENABLED"
      }
    }
  }

  volume {
    name                = "data"
    configure_at_launch = true
  }

  tags = { team = "every" }
}

# What AWS Fargate does not take. inference_accelerator: AWS takes no new ones.
resource "aws_ecs_task_definition" "instances" {
  family                   = "instances"
  cpu                      = "256"
  memory                   = "512"
  ipc_mode                 = "task"
  network_mode             = "bridge"
  pid_mode                 = "host"
  requires_compatibilities = ["EC2"]

  container_definitions = jsonencode([
    {
      name                  = "web"
      image                 = "registry.example.com/every/web:1"
      disableNetworking     = false
      dnsSearchDomains      = ["example.com"]
      dnsServers            = ["10.0.0.2"]
      dockerSecurityOptions = ["label:none"]
      extraHosts            = [{ hostname = "db", ipAddress = "10.0.0.9" }]
      hostname              = "web"
      links                 = ["side"]
      mountPoints = [
        { sourceVolume = "shared", containerPath = "/shared" },
        { sourceVolume = "host", containerPath = "/host" },
      ]
      portMappings         = [{ containerPort = 8080, hostPort = 8080 }]
      privileged           = true
      resourceRequirements = [{ type = "GPU", value = "1" }]

      linuxParameters = {
        devices          = [{ hostPath = "/dev/fuse", containerPath = "/dev/fuse", permissions = ["read", "write"] }]
        maxSwap          = 512
        sharedMemorySize = 64
        swappiness       = 10
        tmpfs            = [{ containerPath = "/tmp", size = 64, mountOptions = ["noexec"] }]
      }
    },
    { name = "side", image = "registry.example.com/every/side:1" },
  ])

  placement_constraints {
    type       = "memberOf"
    expression = "attribute:ecs.os-type == linux"
  }

  volume {
    name = "shared"

    docker_volume_configuration {
      autoprovision = true
      driver        = "local"
      driver_opts   = { type = "tmpfs" }
      labels        = { team = "every" }
      scope         = "shared"
    }
  }

  volume {
    name      = "host"
    host_path = "/srv"
  }
}

resource "aws_ecs_task_definition" "mesh" {
  family                   = "mesh"
  network_mode             = "awsvpc"
  requires_compatibilities = ["EC2"]

  container_definitions = jsonencode([
    { name = "web", image = "registry.example.com/every/web:1", memory = 128, portMappings = [{ containerPort = 8080 }] },
    { name = "envoy", image = "registry.example.com/every/envoy:1", memory = 128, user = "1337" },
  ])

  proxy_configuration {
    container_name = "envoy"
    type           = "APPMESH"

    properties = {
      AppPorts         = "8080"
      EgressIgnoredIPs = "169.254.170.2,169.254.169.254"
      IgnoredUID       = "1337"
      ProxyEgressPort  = "15001"
      ProxyIngressPort = "15000"
    }
  }
}

resource "aws_ecs_task_definition" "windows" {
  family                   = "windows"
  requires_compatibilities = ["EC2"]

  container_definitions = jsonencode([{
    name        = "web"
    image       = "registry.example.com/every/web:windows"
    memory      = 512
    mountPoints = [{ sourceVolume = "share", containerPath = "C:\\share" }]
  }])

  volume {
    name = "share"

    fsx_windows_file_server_volume_configuration {
      file_system_id = "fs-0123456789abcdef0"
      root_directory = "share"

      authorization_config {
        credentials_parameter = "arn:aws:secretsmanager:${var.region}:${local.account}:secret:share"
        domain                = "example.com"
      }
    }
  }
}

# The pair that takes turns (engine `listener`).
resource "aws_ecs_service" "pair" {
  for_each        = { pair = 2, pair-green = 0 }
  name            = each.key
  cluster         = aws_ecs_cluster.every.id
  task_definition = aws_ecs_task_definition.every.arn
  desired_count   = each.value

  availability_zone_rebalancing      = "ENABLED"
  deployment_maximum_percent         = 150
  deployment_minimum_healthy_percent = 50
  enable_ecs_managed_tags            = true
  enable_execute_command             = true
  health_check_grace_period_seconds  = 60
  platform_version                   = "1.4.0"
  propagate_tags                     = "SERVICE"
  scheduling_strategy                = "REPLICA"

  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 3
  }

  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 1
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  deployment_controller {
    type = "ECS"
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.pair[each.key].arn
    container_name   = "web"
    container_port   = 8080
  }

  network_configuration {
    assign_public_ip = true
    security_groups  = [local.group]
    subnets          = local.subnets
  }

  volume_configuration {
    name = "data"

    managed_ebs_volume {
      role_arn = "${local.roles}/volumes"
      # volume_initialization_rate: only of a volume that is made from a snapshot.
      encrypted        = true
      file_system_type = "xfs"
      iops             = 3000
      kms_key_id       = "every"
      size_in_gb       = 20
      throughput       = 125
      volume_type      = "gp3"

      tag_specifications {
        resource_type  = "volume"
        propagate_tags = "SERVICE"
        tags           = { team = "every" }
      }
    }
  }

  tags = {
    team          = "every"
    "ecs-bg:twin" = each.key == "pair" ? "pair-green" : "pair"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_lb_listener_rule.pair, aws_ecs_cluster_capacity_providers.every]
}

# One service that Amazon ECS replaces the tasks of (engine `rolling`).
resource "aws_ecs_service" "alone" {
  name            = "alone"
  cluster         = aws_ecs_cluster.every.id
  task_definition = aws_ecs_task_definition.every.arn
  desired_count   = 2
  launch_type     = "FARGATE"

  force_delete          = true
  force_new_deployment  = true
  propagate_tags        = "TASK_DEFINITION"
  triggers              = { configuration = "1" }
  wait_for_steady_state = true

  alarms {
    alarm_names = ["every-errors"]
    enable      = true
    rollback    = true
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.alone.arn
    container_name   = "web"
    container_port   = 8080
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.tcp.arn
    container_name   = "web"
    container_port   = 8080
  }

  network_configuration {
    subnets = local.subnets
  }

  service_connect_configuration {
    enabled   = true
    namespace = local.namespace

    log_configuration {
      log_driver = "awslogs"
      options    = { awslogs-group = "/every/proxy", awslogs-region = var.region, awslogs-stream-prefix = "proxy" }

      secret_option {
        name       = "key"
        value_from = "arn:aws:ssm:${var.region}:${local.account}:parameter/every/key"
      }
    }

    service {
      discovery_name        = "alone"
      ingress_port_override = 8081
      port_name             = "http"

      client_alias {
        dns_name = "alone.local"
        port     = 80
      }

      timeout {
        idle_timeout_seconds        = 60
        per_request_timeout_seconds = 15
      }

      tls {
        kms_key  = "every"
        role_arn = "${local.roles}/certificates"

        issuer_cert_authority {
          aws_pca_authority_arn = "arn:aws:acm-pca:${var.region}:${local.account}:certificate-authority/every"
        }
      }
    }
  }

  service_registries {
    registry_arn   = local.registry
    container_name = "web"
    container_port = 8080
  }

  volume_configuration {
    name = "data"

    managed_ebs_volume {
      role_arn                   = "${local.roles}/volumes"
      snapshot_id                = "snap-0123456789abcdef0"
      volume_initialization_rate = 200
    }
  }

  vpc_lattice_configurations {
    port_name        = "http"
    role_arn         = "${local.roles}/lattice"
    target_group_arn = "arn:aws:vpc-lattice:${var.region}:${local.account}:targetgroup/tg-0123456789abcdef0"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_lb_listener_rule.alone, aws_lb_listener.tcp]
}

# On container instances, of which there are none. iam_role: AWS takes its own role.
resource "aws_ecs_service" "mesh" {
  name            = "mesh"
  cluster         = aws_ecs_cluster.every.id
  task_definition = aws_ecs_task_definition.mesh.arn
  desired_count   = 0
  launch_type     = "EC2"

  network_configuration {
    subnets = local.subnets
  }

  service_registries {
    registry_arn = local.registry
    port         = 8080
  }
}

resource "aws_ecs_service" "instances" {
  name            = "instances"
  cluster         = aws_ecs_cluster.every.id
  task_definition = aws_ecs_task_definition.instances.arn
  desired_count   = 0
  launch_type     = "EC2"

  load_balancer {
    elb_name       = "classic"
    container_name = "web"
    container_port = 8080
  }

  ordered_placement_strategy {
    type  = "spread"
    field = "attribute:ecs.availability-zone"
  }

  ordered_placement_strategy {
    type  = "binpack"
    field = "memory"
  }

  placement_constraints {
    type       = "memberOf"
    expression = "attribute:ecs.instance-type =~ t4g.*"
  }

  placement_constraints {
    type = "distinctInstance"
  }
}

resource "aws_appautoscaling_target" "every" {
  min_capacity       = 2
  max_capacity       = 8
  resource_id        = "service/${aws_ecs_cluster.every.name}/${aws_ecs_service.alone.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  service_namespace  = "ecs"
  # role_arn: AWS takes its own role for Amazon ECS.

  suspended_state {
    dynamic_scaling_in_suspended  = true
    dynamic_scaling_out_suspended = true
    scheduled_scaling_suspended   = true
  }

  tags = { team = "every" }
}

resource "aws_appautoscaling_policy" "requests" {
  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  resource_id        = aws_appautoscaling_target.every.resource_id
  scalable_dimension = aws_appautoscaling_target.every.scalable_dimension
  service_namespace  = aws_appautoscaling_target.every.service_namespace

  target_tracking_scaling_policy_configuration {
    disable_scale_in   = true
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    target_value       = 100

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${aws_lb.every.arn_suffix}/${aws_lb_target_group.alone.arn_suffix}"
    }
  }
}

resource "aws_appautoscaling_policy" "queue" {
  name               = "queue"
  policy_type        = "TargetTrackingScaling"
  resource_id        = aws_appautoscaling_target.every.resource_id
  scalable_dimension = aws_appautoscaling_target.every.scalable_dimension
  service_namespace  = aws_appautoscaling_target.every.service_namespace

  target_tracking_scaling_policy_configuration {
    target_value = 10

    customized_metric_specification {
      metric_name = "Length"
      namespace   = "Queue"
      statistic   = "Average"
      unit        = "Count"

      dimensions {
        name  = "Queue"
        value = "orders"
      }
    }
  }
}

resource "aws_appautoscaling_policy" "backlog" {
  name               = "backlog"
  policy_type        = "TargetTrackingScaling"
  resource_id        = aws_appautoscaling_target.every.resource_id
  scalable_dimension = aws_appautoscaling_target.every.scalable_dimension
  service_namespace  = aws_appautoscaling_target.every.service_namespace

  target_tracking_scaling_policy_configuration {
    target_value = 10

    customized_metric_specification {
      metrics {
        id          = "length"
        label       = "messages"
        return_data = false

        metric_stat {
          stat = "Sum"
          unit = "Count"

          metric {
            metric_name = "Length"
            namespace   = "Queue"

            dimensions {
              name  = "Queue"
              value = "orders"
            }
          }
        }
      }

      metrics {
        id          = "backlog"
        expression  = "length / 2"
        label       = "messages of a task"
        return_data = true
      }
    }
  }
}

resource "aws_appautoscaling_policy" "steps" {
  name               = "steps"
  policy_type        = "StepScaling"
  resource_id        = aws_appautoscaling_target.every.resource_id
  scalable_dimension = aws_appautoscaling_target.every.scalable_dimension
  service_namespace  = aws_appautoscaling_target.every.service_namespace

  step_scaling_policy_configuration {
    adjustment_type          = "PercentChangeInCapacity"
    cooldown                 = 60
    metric_aggregation_type  = "Maximum"
    min_adjustment_magnitude = 1

    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = 20
      scaling_adjustment          = 10
    }

    step_adjustment {
      metric_interval_lower_bound = 20
      scaling_adjustment          = 30
    }
  }
}

resource "aws_appautoscaling_scheduled_action" "every" {
  name               = "morning"
  resource_id        = aws_appautoscaling_target.every.resource_id
  scalable_dimension = aws_appautoscaling_target.every.scalable_dimension
  service_namespace  = aws_appautoscaling_target.every.service_namespace
  schedule           = "cron(0 7 * * ? *)"
  start_time         = "2100-01-01T00:00:00Z"
  end_time           = "2100-12-31T00:00:00Z"
  timezone           = "Europe/Berlin"

  scalable_target_action {
    min_capacity = 4
    max_capacity = 12
  }
}
