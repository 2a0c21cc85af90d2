use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[tokio::test]
async fn many_callers_share_one_renewal() {
    let (cached, calls) = scripted(|_| Ok(expiring_in(3600)));
    let all = (0..20).map(|_| cached.resolve());
    futures_util::future::join_all(all)
        .await
        .into_iter()
        .for_each(|got| drop(got.unwrap()));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(cached.expiry().is_some());
}

#[tokio::test]
async fn many_callers_share_one_failure_and_the_next_call_tries_again() {
    let (cached, calls) = scripted(|n| {
        if n == 0 {
            Err(expired())
        } else {
            Ok(expiring_in(3600))
        }
    });
    let all = (0..20).map(|_| cached.resolve());
    assert!(
        futures_util::future::join_all(all)
            .await
            .iter()
            .all(Result::is_err)
    );
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(cached.resolve().await.is_ok(), "a login elsewhere heals");
}

#[tokio::test]
async fn renewal_starts_five_minutes_ahead() {
    let (cached, calls) = scripted(|n| Ok(expiring_in(if n == 0 { 299 } else { 3600 })));
    for _ in 0..3 {
        cached.resolve().await.unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn old_credentials_serve_until_they_end_when_renewal_fails() {
    let (cached, calls) = scripted(|n| {
        if n == 0 {
            Ok(expiring_in(200))
        } else {
            Err(expired())
        }
    });
    for _ in 0..5 {
        cached.resolve().await.unwrap();
    }
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "a failed renewal is not repeated at every call"
    );
}

#[tokio::test]
async fn refused_credentials_are_looked_for_again() {
    let (cached, calls) = scripted(|_| Ok(expiring_in(3600)));
    let refused = cached.resolve().await.unwrap();
    cached.forget(refused.access_key_id()).await;
    cached.resolve().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn whoever_waits_hears_of_credentials_that_are_there_again() {
    let (cached, _) = scripted(|n| match n {
        0 => Err(expired()),
        _ => Ok(expiring_in(3600)),
    });
    let (mut renewed, trouble) = (cached.renewed(), cached.trouble());
    cached.resolve().await.unwrap_err();
    assert!(trouble.borrow().load.is_some() && !renewed.has_changed().unwrap());
    cached.resolve().await.unwrap();
    assert!(trouble.borrow().load.is_none() && renewed.has_changed().unwrap());
    renewed.mark_unchanged();
    cached.resolve().await.unwrap();
    assert!(!renewed.has_changed().unwrap());
}

#[tokio::test]
async fn a_failed_renewal_is_told_while_the_old_ones_serve() {
    let (cached, _) = scripted(|n| match n {
        0 => Ok(expiring_in(200)),
        _ => Err(expired()),
    });
    cached.resolve().await.unwrap();
    cached.resolve().await.unwrap();
    assert!(cached.trouble().borrow().load.is_some());
}

#[tokio::test]
async fn whoever_waits_hears_of_another_key_than_the_refused_one() {
    let (cached, _) = scripted(|n| Ok(key(if n < 2 { "OLD" } else { "NEW" })));
    let renewed = cached.renewed();
    for news in [false, true] {
        cached.resolve().await.unwrap();
        cached.forget("OLD").await;
        cached.resolve().await.unwrap();
        assert_eq!(renewed.has_changed().unwrap(), news);
    }
}

fn key(id: &str) -> Credentials {
    Credentials::new(id, "secret", None, None, "test")
}

fn expired() -> CredentialsError {
    CredentialsError::provider_error("the SSO token has expired and cannot be refreshed")
}

fn expiring_in(seconds: u64) -> Credentials {
    let expiry = SystemTime::now() + Duration::from_secs(seconds);
    Credentials::new("AKID", "secret", None, Some(expiry), "test")
}

/// A provider that answers the n-th load by `answer(n)`, and the count of loads.
fn scripted(
    answer: fn(usize) -> Result<Credentials, CredentialsError>,
) -> (Cached, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let cached = Cached::new(Files::default(), move || {
        let counter = counter.clone();
        SharedCredentialsProvider::new(Scripted { answer, counter })
    });
    (cached, calls)
}

#[derive(Debug)]
struct Scripted {
    answer: fn(usize) -> Result<Credentials, CredentialsError>,
    counter: Arc<AtomicUsize>,
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let n = self.counter.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            (self.answer)(n)
        })
    }
}
