//! Which requests are not for this door: those that a web page could have caused, and those with too much to say.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    body::Incoming,
    header::{HOST, HeaderMap, HeaderValue, ORIGIN, REFERER},
};
use tokio::time::timeout;

use super::{Refusal, code::Code};

/// A program on this machine sends its content at once.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_BODY: usize = 64 * 1024;

/// The hosts a request may be for. A web page that reached the socket by some proxy would name its own.
const HOSTS: [&str; 2] = ["bastiond", "localhost"];

/// Browsers name the page that caused a request; programs of the owner's have none to name.
pub(super) fn refuse_browsers(headers: &HeaderMap) -> Result<(), Box<Refusal>> {
    for header in [ORIGIN, REFERER] {
        if headers.contains_key(&header) {
            let detail = format!(
                "requests with the header `{header}` come from web pages, which have no business here"
            );
            return Err(Refusal::new(Code::FromAWebPage, detail));
        }
    }
    Ok(())
}

/// The Host header must be one of ours, and the target, should it name a host, as well.
pub(super) fn refuse_other_hosts(
    headers: &HeaderMap,
    target: Option<&str>,
) -> Result<(), Box<Refusal>> {
    let mut named = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let is_ours = |host: &[u8]| {
        HOSTS
            .iter()
            .any(|ours| ours.as_bytes().eq_ignore_ascii_case(host))
    };
    let one_host_of_ours = named.next().is_some_and(is_ours) && named.next().is_none();
    if one_host_of_ours && target.is_none_or(|host| is_ours(host.as_bytes())) {
        return Ok(());
    }
    let hint = Some("send `Host: bastiond`".to_owned());
    Err(Refusal::new(Code::ForeignHost, "the request is for another host").hint(hint))
}

/// No call has content yet. What is sent is read to its bound, so that the caller gets to read the answer.
pub(super) async fn refuse_content(body: Incoming) -> Result<(), Box<Refusal>> {
    let read = timeout(BODY_TIMEOUT, Limited::new(body, LARGEST_BODY).collect()).await;
    let content = match read {
        Err(_) => {
            return Err(Refusal::new(
                Code::TooSlow,
                "the content did not arrive in time",
            ));
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(Refusal::new(
                Code::TooLarge,
                format!("content is bounded to {LARGEST_BODY} bytes"),
            ));
        }
        Ok(Err(_)) => {
            return Err(Refusal::new(
                Code::BrokenContent,
                "the content could not be read",
            ));
        }
        Ok(Ok(content)) => content.to_bytes(),
    };
    if content.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        Code::UnexpectedContent,
        "this call takes no content",
    ))
}
