# Three estates, as Terraform manages them: `taskoverflow` (one service with auto scaling), `shop` (two
# services that take turns behind a weighted rule) and `every` (every argument that the provider has).
# test_terraform.py applies them to the sandbox.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

variable "endpoint" {
  type = string
}

variable "region" {
  type = string
}

# The image that the configuration names: what a service is created with.
variable "image" {
  type    = string
  default = "1"
}

provider "aws" {
  region                      = var.region
  access_key                  = "sandbox"
  secret_key                  = "sandbox"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    applicationautoscaling = var.endpoint
    ecs                    = var.endpoint
    elasticloadbalancingv2 = var.endpoint
    sts                    = var.endpoint
  }
}

locals {
  vpc     = "vpc-0123456789abcdef0"
  subnets = ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"]
  group   = "sg-0a1b2c3d4e5f60718"
  account = data.aws_caller_identity.own.account_id
  roles   = "arn:aws:iam::${local.account}:role"

  certificates = [for name in ["first", "second"] : "arn:aws:acm:${var.region}:${local.account}:certificate/${name}"]

  user_pool = "arn:aws:cognito-idp:${var.region}:${local.account}:userpool/${var.region}_every"
  registry  = "arn:aws:servicediscovery:${var.region}:${local.account}:service/srv-0123456789abcdef"
  namespace = "arn:aws:servicediscovery:${var.region}:${local.account}:namespace/ns-0123456789abcdef"
}

data "aws_caller_identity" "own" {}
