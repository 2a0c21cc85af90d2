//! The tunnel's claim on its bastion: none, asked for, or held.

use std::future::{Future, pending};
use std::pin::Pin;

use futures_util::future::select_all;

use crate::bastion::{self, Going, Lease};
use crate::status::Reason;

/// See the module. Dropping it withdraws the request, or the lease.
pub enum Claim {
    /// Nothing is wanted.
    None,
    /// The bastion is being made ready.
    Asked(Pin<Box<dyn Future<Output = Result<Lease, Reason>> + Send>>),
    /// It is, for as long as this is held.
    Held(Lease),
}

/// News of a claim.
pub enum News {
    /// The answer to the request.
    Answer(Result<Lease, Reason>),
    /// The task behind the lease is going away.
    Going(Going),
}

/// Wait until one of the tasks that are going away has gone, and say which. May be dropped and called again.
pub async fn gone(departing: &mut [Lease]) -> (usize, Going) {
    if departing.is_empty() {
        return pending().await;
    }
    let all = departing.iter_mut().map(|lease| Box::pin(lease.gone()));
    let (going, index, _) = select_all(all).await;
    (index, going)
}

impl Claim {
    /// Ask the bastion, or take the fixed target.
    pub fn ask(bastion: Option<&bastion::Handle>, target: Option<&str>) -> Self {
        match (bastion, target) {
            (Some(bastion), _) => {
                let bastion = bastion.clone();
                Self::Asked(Box::pin(async move { bastion.lease().await }))
            }
            (None, target) => Self::Held(Lease::fixed(target.unwrap_or_default())),
        }
    }

    /// The next news; never without a claim. May be dropped and called again.
    pub async fn news(&mut self) -> News {
        match self {
            Self::None => pending().await,
            Self::Asked(answer) => News::Answer(answer.await),
            Self::Held(lease) => News::Going(lease.going().await),
        }
    }

    /// What StartSession may be given; nothing without a lease.
    pub fn targets(&self) -> &[String] {
        match self {
            Self::Held(lease) => lease.targets(),
            Self::None | Self::Asked(_) => &[],
        }
    }
}
