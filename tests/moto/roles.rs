//! Roles in moto: assumed by the caller's own name, and chains of them.

use bastiond::{
    aws::{Aws, Source, Timeouts},
    config::Config,
    net::Net,
};

use crate::{
    server::{Server, is_installed},
    tunnel,
};

/// A caller that takes on what `lines` of `[aws]` say.
async fn caller(moto: &Server, lines: &str) -> Aws {
    let text = format!(
        "[aws]\nregion = \"eu-west-1\"\nendpoint_url = \"http://{}\"\n{lines}\n{}",
        moto.address,
        tunnel("rds-cluster:any")
    );
    let config = Config::parse(&text).expect("a configuration").aws;
    let net = Net::new(|_| None).expect("a network");
    let source = Source::fixed("AKIATESTTESTTESTTEST", "secret");
    let aws = Aws::with(&config, "me", &net, source, Timeouts::default()).await;
    aws.expect("calls can be made")
}

#[tokio::test]
async fn a_role_is_assumed_by_the_callers_own_name() {
    if !is_installed() {
        return;
    }
    let moto = Server::start();
    let role = "role_arn = \"arn:aws:iam::123456789012:role/my_role-1\"\nexternal_id = \"an-id\"\nrole_duration = \"15m\"";
    let identity = caller(&moto, role)
        .await
        .identity()
        .await
        .expect("an identity");
    assert_eq!(identity.account, "123456789012");
    assert!(
        identity
            .arn
            .ends_with(":assumed-role/my_role-1/bastiond-me"),
        "{}",
        identity.arn
    );
}

/// The role is of another account, and databases are looked for there.
#[tokio::test]
async fn a_role_of_another_account_sees_what_is_there() {
    if !is_installed() {
        return;
    }
    let moto = Server::start();
    let role = "role_arn = \"arn:aws:iam::210987654321:role/there\"";
    let aws = caller(&moto, role).await;
    let identity = aws.identity().await.expect("an identity");
    assert_eq!(identity.account, "210987654321");
    let here = caller(&moto, "")
        .await
        .identity()
        .await
        .expect("an identity");
    assert_ne!(here.account, identity.account);
}
