//! How much of a quota is in use, as CloudWatch counts it.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Aws,
    error::Error,
    query::{Call, Form, Items, Service},
};

/// Usage is counted every few minutes: in an hour there are some figures.
const SPAN: Duration = Duration::from_secs(3600);

const GET_METRIC_STATISTICS: Call = Call {
    service: Service::CloudWatch,
    action: "GetMetricStatistics",
};

/// A quota, and where its use is counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quota {
    /// What there is.
    pub value: f64,
    /// What counts its use, where something does.
    pub metric: Option<UsageMetric>,
}

/// A metric of CloudWatch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UsageMetric {
    /// `AWS/Usage`.
    #[serde(rename = "MetricNamespace")]
    pub namespace: String,
    /// `ResourceCount`.
    #[serde(rename = "MetricName")]
    pub name: String,
    /// What of it is counted.
    #[serde(rename = "MetricDimensions")]
    pub dimensions: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Response {
    #[serde(rename = "GetMetricStatisticsResult", default)]
    result: Statistics,
}

#[derive(Debug, Default, Deserialize)]
struct Statistics {
    #[serde(rename = "Datapoints")]
    points: Option<Items<Point>>,
}

#[derive(Debug, Deserialize)]
struct Point {
    #[serde(rename = "Maximum", default)]
    maximum: f64,
}

impl Aws {
    /// The most that was in use in the last hour; `None` where nothing was counted, for then nothing was.
    pub async fn usage(&self, metric: &UsageMetric) -> Result<Option<f64>, Error> {
        let now = SystemTime::now();
        let mut form = Form::of(GET_METRIC_STATISTICS);
        form.add("Namespace", &metric.namespace);
        form.add("MetricName", &metric.name);
        for (index, (name, value)) in metric.dimensions.iter().enumerate() {
            let member = format!("Dimensions.member.{}", index + 1);
            form.add(&format!("{member}.Name"), name);
            form.add(&format!("{member}.Value"), value);
        }
        form.add("StartTime", &stamp(now - SPAN));
        form.add("EndTime", &stamp(now));
        form.add("Period", "3600");
        form.add("Statistics.member.1", "Maximum");
        let read = |text: &str| quick_xml::de::from_str::<Response>(text);
        let answer = self.ask(GET_METRIC_STATISTICS, &form, read).await?;
        let points = answer.result.points.map(|it| it.member).unwrap_or_default();
        Ok(points.into_iter().map(|it| it.maximum).reduce(f64::max))
    }
}

fn stamp(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0);
    let at = at.expect("no nanoseconds are a number of them");
    at.format(&Rfc3339).expect("a time has a form")
}
