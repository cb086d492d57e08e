# What `iam-stocktake audit` needs in AWS, and nothing else. Written by `iam-stocktake iam-policy`:
# write it anew when the features of the audit change.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81"
    }
  }
}

variable "repository" {
  description = "The repository whose workflows assume the role, as GitHub spells it."
  type        = string
  default     = "acme/infra"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "Write the repository as OWNER/NAME."
  }
}

variable "repository_owner_id" {
  description = "The id of the repository's owner: gh api repos/OWNER/NAME --jq .owner.id"
  type        = string
  default     = "583231"

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.repository_owner_id))
    error_message = "The id is a number, such as 583231."
  }
}

variable "repository_id" {
  description = "The id of the repository: gh api repos/OWNER/NAME --jq .id"
  type        = string
  default     = "1296269"

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.repository_id))
    error_message = "The id is a number, such as 583231."
  }
}

variable "create_oidc_provider" {
  description = "Whether to create GitHub's OIDC provider, or to use the one that is there."
  type        = bool
  default     = true
}

# Both forms of the subject: by names alone, and with the ids that a repository created or renamed
# since July 2026 bears. Compared whole: a wildcard for an id would let another repository in.
locals {
  owner = split("/", var.repository)[0]
  name  = split("/", var.repository)[1]
  contexts = [
    "ref:refs/heads/main",
    "pull_request",
  ]
  subjects = flatten([for context in local.contexts : [
    "repo:${local.owner}/${local.name}:${context}",
    "repo:${local.owner}@${var.repository_owner_id}/${local.name}@${var.repository_id}:${context}",
  ]])
}

# An account has one OIDC provider for GitHub. Where it is there already, it must have the audience
# below among its client ids; then set create_oidc_provider to false.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_oidc_provider ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_openid_connect_provider" "github" {
  count = var.create_oidc_provider ? 0 : 1

  url = "https://token.actions.githubusercontent.com"
}

locals {
  oidc_provider_arn = var.create_oidc_provider ? aws_iam_openid_connect_provider.github[0].arn : data.aws_iam_openid_connect_provider.github[0].arn
}

resource "aws_iam_role" "audit" {
  name        = "iam-stocktake-audit"
  description = "Reads IAM for iam-stocktake"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "GitHubActions"
        Effect = "Allow"
        Principal = {
          Federated = local.oidc_provider_arn
        }
        Action = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = local.subjects
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "audit" {
  name = "iam-stocktake-audit"
  role = aws_iam_role.audit.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadAccount"
        Effect = "Allow"
        Action = [
          "iam:GenerateCredentialReport",
          "iam:GetCredentialReport",
          "iam:GetServiceLastAccessedDetails",
          "iam:ListAccountAliases",
          "iam:ListServiceSpecificCredentials",
          "iam:ListUsers",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReadUsers"
        Effect = "Allow"
        Action = [
          "iam:GenerateServiceLastAccessedDetails",
          "iam:GetAccessKeyLastUsed",
          "iam:GetLoginProfile",
          "iam:GetUser",
          "iam:ListAccessKeys",
          "iam:ListSSHPublicKeys",
          "iam:ListSigningCertificates",
          "iam:ListUserTags",
        ]
        Resource = "arn:aws:iam::111122223333:user/*"
      },
      {
        Sid      = "AssumeMemberRoles"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole"]
        Resource = ["arn:aws:iam::444455556666:role/iam-stocktake-audit"]
      },
    ]
  })
}

output "role_to_assume" {
  description = "For --role-to-assume."
  value       = aws_iam_role.audit.arn
}

# The other accounts: a role in each that only the role above may assume. Terraform makes it with an
# administrator's role of that account; change the providers to what your organisation has.
variable "member_admin_role_name" {
  description = "The role of each other account with which Terraform makes the one below."
  type        = string
  default     = "OrganizationAccountAccessRole"
}

locals {
  member_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "AuditRole"
        Effect = "Allow"
        Principal = {
          AWS = aws_iam_role.audit.arn
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "sts:ExternalId" = "acme-audit"
          }
        }
      },
    ]
  })

  member_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadAccount"
        Effect = "Allow"
        Action = [
          "iam:GenerateCredentialReport",
          "iam:GetCredentialReport",
          "iam:GetServiceLastAccessedDetails",
          "iam:ListAccountAliases",
          "iam:ListServiceSpecificCredentials",
          "iam:ListUsers",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReadUsers"
        Effect = "Allow"
        Action = [
          "iam:GenerateServiceLastAccessedDetails",
          "iam:GetAccessKeyLastUsed",
          "iam:GetLoginProfile",
          "iam:GetUser",
          "iam:ListAccessKeys",
          "iam:ListSSHPublicKeys",
          "iam:ListSigningCertificates",
          "iam:ListUserTags",
        ]
        Resource = "arn:aws:iam::*:user/*"
      },
    ]
  })
}

provider "aws" {
  alias               = "account_444455556666"
  region              = "us-east-1"
  allowed_account_ids = ["444455556666"]

  assume_role {
    role_arn = "arn:aws:iam::444455556666:role/${var.member_admin_role_name}"
  }
}

resource "aws_iam_role" "account_444455556666" {
  provider = aws.account_444455556666

  name               = "iam-stocktake-audit"
  path               = "/"
  description        = "Reads IAM for iam-stocktake"
  assume_role_policy = local.member_trust
}

resource "aws_iam_role_policy" "account_444455556666" {
  provider = aws.account_444455556666

  name   = "iam-stocktake-audit"
  role   = aws_iam_role.account_444455556666.id
  policy = local.member_policy
}
