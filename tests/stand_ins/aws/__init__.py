"""The AWS stand-in: IAM, STS and the runner's OIDC endpoint on loopback."""
