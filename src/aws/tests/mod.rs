//! The calls against a scripted server: what goes out, and what comes of the answers.

mod account;
mod databases;
mod ecs;
mod every;
mod identity;
mod reach;
mod ssm;
mod vpc;

use super::{fake::Fake, *};

fn config(endpoint: String) -> config::Aws {
    config::Aws {
        profile: None,
        region: Some("eu-west-1".into()),
        role_arn: None,
        role: config::AssumeRole::default(),
        endpoint_url: Some(endpoint),
        sign_websocket: true,
    }
}

fn net(env: &[(&str, &str)]) -> Net {
    let find = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Net::new(find).unwrap()
}

async fn aws(fake: &Fake) -> Aws {
    with(&config(fake.url()), &net(&[]), Timeouts::default()).await
}

async fn with(config: &config::Aws, net: &Net, timeouts: Timeouts) -> Aws {
    Aws::with(
        config,
        "o'brien",
        net,
        Source::fixed("AKIDBASE", "secret"),
        timeouts,
    )
    .await
    .unwrap()
}
