# One service of 1 to 4 tasks that follows its CPU. Amazon ECS replaces its tasks (engine `rolling`).

resource "aws_ecs_cluster" "taskoverflow" {
  name = "taskoverflow"

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "taskoverflow" {
  cluster_name       = aws_ecs_cluster.taskoverflow.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 100
    base              = 1
  }
}

resource "aws_lb" "taskoverflow" {
  name            = "taskoverflow"
  subnets         = local.subnets
  security_groups = [local.group]
  idle_timeout    = 120
}

resource "aws_lb_target_group" "taskoverflow" {
  name        = "taskoverflow"
  port        = 6400
  protocol    = "HTTP"
  vpc_id      = local.vpc
  target_type = "ip"

  health_check {
    path                = "/api/v1/health"
    port                = "6400"
    protocol            = "HTTP"
    healthy_threshold   = 2
    unhealthy_threshold = 2
    timeout             = 5
    interval            = 10
  }
}

resource "aws_lb_listener" "taskoverflow" {
  load_balancer_arn = aws_lb.taskoverflow.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.taskoverflow.arn
  }
}

resource "aws_ecs_task_definition" "taskoverflow" {
  family                   = "taskoverflow"
  network_mode             = "awsvpc"
  skip_destroy             = true
  requires_compatibilities = ["FARGATE"]
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = "arn:aws:iam::${data.aws_caller_identity.own.account_id}:role/LabRole"
  task_role_arn            = "arn:aws:iam::${data.aws_caller_identity.own.account_id}:role/LabRole"

  container_definitions = jsonencode([{
    name         = "todo"
    image        = "registry.example.com/taskoverflow/todo:${var.image}"
    cpu          = 1024
    memory       = 2048
    portMappings = [{ containerPort = 6400, hostPort = 6400 }]
    environment  = [{ name = "SQLALCHEMY_DATABASE_URI", value = "postgresql://todo@db.internal:5432/todo" }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = "/taskoverflow/todo"
        awslogs-region        = var.region
        awslogs-stream-prefix = "ecs"
        awslogs-create-group  = "true"
      }
    }
  }])
}

resource "aws_ecs_service" "taskoverflow" {
  name            = "taskoverflow"
  cluster         = aws_ecs_cluster.taskoverflow.id
  task_definition = aws_ecs_task_definition.taskoverflow.arn
  desired_count   = 1
  launch_type     = "FARGATE"

  network_configuration {
    subnets          = local.subnets
    security_groups  = [local.group]
    assign_public_ip = true
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.taskoverflow.arn
    container_name   = "todo"
    container_port   = 6400
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  # Amazon ECS refuses a target group that stands in no listener.
  depends_on = [aws_lb_listener.taskoverflow]
}

resource "aws_appautoscaling_target" "taskoverflow" {
  min_capacity       = 1
  max_capacity       = 4
  resource_id        = "service/${aws_ecs_cluster.taskoverflow.name}/${aws_ecs_service.taskoverflow.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  service_namespace  = "ecs"
}

resource "aws_appautoscaling_policy" "taskoverflow" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  resource_id        = aws_appautoscaling_target.taskoverflow.resource_id
  scalable_dimension = aws_appautoscaling_target.taskoverflow.scalable_dimension
  service_namespace  = aws_appautoscaling_target.taskoverflow.service_namespace

  target_tracking_scaling_policy_configuration {
    target_value = 20

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
