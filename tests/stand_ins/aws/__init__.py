"""The AWS stand-in of the tests: IAM, STS and the runner's OIDC endpoint on loopback."""
