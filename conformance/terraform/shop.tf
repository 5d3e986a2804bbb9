# Two services that take turns: the rule sends all requests to one of them (engine `listener`).

resource "aws_ecs_cluster" "shop" {
  name = "shop"
}

resource "aws_lb" "shop" {
  name            = "shop"
  subnets         = local.subnets
  security_groups = [local.group]

  tags = { team = "shop" }
}

resource "aws_lb_target_group" "web" {
  for_each    = toset(["web", "web-green"])
  name        = each.key
  port        = 8080
  protocol    = "HTTP"
  vpc_id      = local.vpc
  target_type = "ip"

  deregistration_delay = 30

  health_check {
    path                = "/up"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  tags = { team = "shop" }
}

resource "aws_lb_listener" "shop" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "web" {
  listener_arn = aws_lb_listener.shop.arn
  priority     = 10

  action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.web["web"].arn
        weight = 100
      }

      target_group {
        arn    = aws_lb_target_group.web["web-green"].arn
        weight = 0
      }
    }
  }

  condition {
    path_pattern {
      values = ["/*"]
    }
  }

  lifecycle {
    ignore_changes = [action]
  }
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  network_mode             = "awsvpc"
  skip_destroy             = true
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = "arn:aws:iam::${data.aws_caller_identity.own.account_id}:role/execution"

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name         = "web"
    image        = "registry.example.com/shop/web:${var.image}"
    essential    = true
    portMappings = [{ containerPort = 8080 }]
  }])

  tags = { team = "shop" }
}

resource "aws_ecs_service" "web" {
  for_each        = { web = 2, web-green = 0 }
  name            = each.key
  cluster         = aws_ecs_cluster.shop.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = each.value
  launch_type     = "FARGATE"

  health_check_grace_period_seconds = 60

  network_configuration {
    subnets         = local.subnets
    security_groups = [local.group]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.web[each.key].arn
    container_name   = "web"
    container_port   = 8080
  }

  tags = {
    team          = "shop"
    "ecs-bg:twin" = each.key == "web" ? "web-green" : "web"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_lb_listener_rule.web]
}
