//! The services that there are, and what each speaks.

/// The services that the simulator answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ecs,
    Ssm,
    Kms,
    Sts,
    Rds,
    Ec2,
    Iam,
    Logs,
    Quotas,
    Images,
    Metrics,
    Stacks,
    Caches,
    Warehouses,
}

impl Service {
    /// The name in IAM actions.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Metrics => "cloudwatch",
            other => other.name(),
        }
    }

    /// Whether it speaks the query protocol, and answers in XML; EC2 does so in a dialect of its own.
    pub fn speaks_query(self) -> bool {
        matches!(
            self,
            Self::Sts
                | Self::Rds
                | Self::Iam
                | Self::Metrics
                | Self::Stacks
                | Self::Caches
                | Self::Warehouses
        )
    }

    /// The name in a signature's scope.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ssm => "ssm",
            Self::Kms => "kms",
            Self::Sts => "sts",
            Self::Rds => "rds",
            Self::Ec2 => "ec2",
            Self::Iam => "iam",
            Self::Logs => "logs",
            Self::Quotas => "servicequotas",
            Self::Images => "ecr",
            Self::Metrics => "monitoring",
            Self::Stacks => "cloudformation",
            Self::Caches => "elasticache",
            Self::Warehouses => "redshift",
        }
    }
}
