//! `[prices]`: what Fargate costs on Linux, in US dollars.

use toml::Spanned;

use super::{
    error::Complaint,
    raw,
    scope::{Report, Section, one_word},
};

/// When the built-in prices were looked up.
const DATE: &str = "2026-04";
/// No vCPU costs as much an hour: whoever writes more has written cents, or a month's price.
const MOST: f64 = 10.0;

/// What an hour of Fargate costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// When they were looked up.
    pub date: String,
    /// One vCPU, x86-64.
    pub vcpu_hour: f64,
    /// One GB of memory, x86-64.
    pub gb_hour: f64,
    /// One vCPU, ARM.
    pub arm_vcpu_hour: f64,
    /// One GB of memory, ARM.
    pub arm_gb_hour: f64,
    /// What Spot takes off, from 0 to 1.
    pub spot_discount: f64,
}

impl Prices {
    /// The region whose prices are taken for those of `region`.
    pub fn source(region: &str) -> &'static str {
        match region {
            "ap-northeast-1" => "ap-northeast-1",
            _ => "us-east-1",
        }
    }

    /// Those of `region` where they are built in, else those of us-east-1.
    pub fn of_region(region: &str) -> Self {
        let (vcpu_hour, gb_hour, arm_vcpu_hour, arm_gb_hour) = match Self::source(region) {
            "ap-northeast-1" => (0.05056, 0.00553, 0.04045, 0.00442),
            _ => (0.04048, 0.004_445, 0.03238, 0.00356),
        };
        Self {
            date: DATE.to_owned(),
            vcpu_hour,
            gb_hour,
            arm_vcpu_hour,
            arm_gb_hour,
            // Spot prices move; AWS speaks of up to 70 %.
            spot_discount: 0.7,
        }
    }
}

/// What is not set is the built-in price of `region`.
pub(super) fn check(raw: Option<raw::Prices>, region: Option<&str>, report: &mut Report) -> Prices {
    let known = Prices::of_region(region.unwrap_or_default());
    let raw = raw.unwrap_or_default();
    let mut scope = report.scope(Section::top().table("prices"));
    let mut price = |key: &str, value: Option<Spanned<f64>>, most: f64, known: f64| {
        let Some(value) = value else { return known };
        if !(0.0..=most).contains(value.get_ref()) {
            let complaint = format!("{} is out of range: 0 to {most}", value.get_ref());
            scope.wrong(key, value.span(), Complaint::new(complaint));
        }
        value.into_inner()
    };
    Prices {
        vcpu_hour: price("vcpu_hour", raw.vcpu_hour, MOST, known.vcpu_hour),
        gb_hour: price("gb_hour", raw.gb_hour, MOST, known.gb_hour),
        arm_vcpu_hour: price(
            "arm_vcpu_hour",
            raw.arm_vcpu_hour,
            MOST,
            known.arm_vcpu_hour,
        ),
        arm_gb_hour: price("arm_gb_hour", raw.arm_gb_hour, MOST, known.arm_gb_hour),
        spot_discount: price("spot_discount", raw.spot_discount, 1.0, known.spot_discount),
        date: scope
            .checked("date", raw.date, one_word)
            .unwrap_or(known.date),
    }
}
