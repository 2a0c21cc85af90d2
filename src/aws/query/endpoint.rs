//! Where the services are: `https://rds.eu-west-1.amazonaws.com`, and its variants.

use aws_types::SdkConfig;

/// The DNS suffixes of AWS's partitions, by the beginning of a region's name, and those of their dual-stack endpoints
/// (AWS's list of partitions).
const PARTITIONS: [(&str, &str, &str); 6] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
];
/// Where IAM is, which is one for all regions of a partition, and the region that its signatures name.
const IAM: [(&str, &str, &str); 8] = [
    ("cn-", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("us-gov-", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
    ("eusc-", "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
    ("us-iso-", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    (
        "us-isob-",
        "iam.us-isob-east-1.sc2s.sgov.gov",
        "us-isob-east-1",
    ),
    (
        "eu-isoe-",
        "iam.eu-isoe-west-1.cloud.adc-e.uk",
        "eu-isoe-west-1",
    ),
    (
        "us-isof-",
        "iam.us-isof-south-1.csp.hci.ic.gov",
        "us-isof-south-1",
    ),
    ("", "iam.amazonaws.com", "us-east-1"),
];
const COMMON: (&str, &str) = ("amazonaws.com", "api.aws");

/// What decides where a service is.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    /// One for all services.
    fixed: Option<String>,
    region: String,
    fips: bool,
    dual_stack: bool,
}

impl Endpoints {
    pub(super) fn new(sdk: &SdkConfig) -> Self {
        Self {
            fixed: sdk.endpoint_url().map(str::to_owned),
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            fips: sdk.use_fips().unwrap_or_default(),
            dual_stack: sdk.use_dual_stack().unwrap_or_default(),
        }
    }

    /// The region that signatures for `service` name.
    pub(super) fn signing_region(&self, service: &str) -> String {
        match service {
            "iam" => self.iam().1.to_owned(),
            _ => self.region.clone(),
        }
    }

    fn iam(&self) -> (&'static str, &'static str) {
        let of_region = |(prefix, ..): &&(&str, &str, &str)| self.region.starts_with(prefix);
        let (_, host, region) = IAM.iter().find(of_region).expect("the last fits all");
        (host, region)
    }

    /// The URL of `service`.
    pub(super) fn of(&self, service: &str) -> String {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        if service == "iam" {
            return format!("https://{}", self.iam().0);
        }
        let region = &self.region;
        let partition = PARTITIONS
            .iter()
            .find(|(prefix, ..)| region.starts_with(prefix));
        let (common, dual) = partition.map_or(COMMON, |(_, common, dual)| (common, dual));
        let suffix = if self.dual_stack { dual } else { common };
        // In GovCloud the usual endpoints are the FIPS ones.
        let is_named = self.fips && (self.dual_stack || !region.starts_with("us-gov-"));
        let variant = if is_named { "-fips" } else { "" };
        // ECR's calls and its registry have hosts of their own.
        let host = match service {
            "ecr" if self.dual_stack => "ecr",
            "ecr" => "api.ecr",
            other => other,
        };
        format!("https://{host}{variant}.{region}.{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the rule sets of botocore 1.x give them.
    #[test]
    fn each_partition_and_variant_has_its_host() {
        for (region, fips, dual_stack, url) in [
            (
                "eu-west-1",
                false,
                false,
                "https://rds.eu-west-1.amazonaws.com",
            ),
            ("eu-west-1", false, true, "https://rds.eu-west-1.api.aws"),
            (
                "us-east-1",
                true,
                false,
                "https://rds-fips.us-east-1.amazonaws.com",
            ),
            (
                "us-east-1",
                true,
                true,
                "https://rds-fips.us-east-1.api.aws",
            ),
            (
                "us-gov-west-1",
                true,
                false,
                "https://rds.us-gov-west-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                false,
                "https://rds.cn-north-1.amazonaws.com.cn",
            ),
            (
                "us-iso-east-1",
                false,
                false,
                "https://rds.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "us-isob-east-1",
                false,
                false,
                "https://rds.us-isob-east-1.sc2s.sgov.gov",
            ),
        ] {
            let endpoints = Endpoints {
                fixed: None,
                region: region.to_owned(),
                fips,
                dual_stack,
            };
            assert_eq!(endpoints.of("rds"), url);
        }
    }

    #[test]
    fn iam_is_one_for_a_partition() {
        for (region, url, signed) in [
            ("eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
            (
                "cn-northwest-1",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            let endpoints = Endpoints {
                region: region.to_owned(),
                ..Endpoints::default()
            };
            assert_eq!(endpoints.of("iam"), url);
            assert_eq!(endpoints.signing_region("iam"), signed);
            assert_eq!(endpoints.signing_region("rds"), region);
        }
    }

    #[test]
    fn an_endpoint_of_the_configuration_serves_all() {
        let fixed = Endpoints {
            fixed: Some("http://127.0.0.1:4566".into()),
            fips: true,
            ..Endpoints::default()
        };
        assert_eq!(fixed.of("elasticache"), "http://127.0.0.1:4566");
    }
}
