//! AWS clients with a limit on the response size.

use aws_config::SdkConfig;

use crate::observe::response_limit::LimitResponseSize;

pub(super) fn iam(config: &SdkConfig) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::config::Builder::from(config).interceptor(LimitResponseSize).build();
    aws_sdk_iam::Client::from_conf(config)
}

pub(super) fn sts(config: &SdkConfig) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(config).interceptor(LimitResponseSize).build();
    aws_sdk_sts::Client::from_conf(config)
}
