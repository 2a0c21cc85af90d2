//! The SDK's clients, each made at its first call: most programs need one or two of them.

use std::sync::OnceLock;

use aws_types::SdkConfig;

use super::clock::Clock;

/// What makes them, and those that were made.
pub(super) struct Clients {
    sdk: SdkConfig,
    clock: Clock,
    ecs: OnceLock<aws_sdk_ecs::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

impl Clients {
    /// None yet. `clock` learns from every answer what time it is.
    pub(super) fn new(sdk: SdkConfig, clock: Clock) -> Self {
        Self {
            sdk,
            clock,
            ecs: OnceLock::new(),
            ssm: OnceLock::new(),
            kms: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }

    pub(super) fn ecs(&self) -> &aws_sdk_ecs::Client {
        self.ecs.get_or_init(|| {
            let config = aws_sdk_ecs::config::Builder::from(&self.sdk);
            aws_sdk_ecs::Client::from_conf(config.interceptor(self.clock.clone()).build())
        })
    }

    pub(super) fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.ssm.get_or_init(|| {
            let config = aws_sdk_ssm::config::Builder::from(&self.sdk);
            aws_sdk_ssm::Client::from_conf(config.interceptor(self.clock.clone()).build())
        })
    }

    pub(super) fn kms(&self) -> &aws_sdk_kms::Client {
        self.kms.get_or_init(|| {
            let config = aws_sdk_kms::config::Builder::from(&self.sdk);
            aws_sdk_kms::Client::from_conf(config.interceptor(self.clock.clone()).build())
        })
    }

    pub(super) fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.sdk);
            aws_sdk_sts::Client::from_conf(config.interceptor(self.clock.clone()).build())
        })
    }
}
