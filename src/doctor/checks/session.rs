//! S: sessions, their document and the account's preferences.

use regex_lite::Regex;

use crate::config::Remote;
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::{Account, Bastion, Tunnel};

/// Less than this and a pause at work ends a session. AWS's own is 20 minutes.
const SHORT_IDLE: u64 = 10;
/// Sessions that one container takes (ECS's quota), less some for those who come next.
const MANY: usize = 15;

pub const CHECKS: &[Check] = &[
    Check {
        id: "S01",
        title: "sessions may idle for ten minutes",
        looks_at: "SSM-SessionManagerRunShell, where the account keeps its preferences",
        levels: &[Level::Info, Level::Warn],
        why: "AWS ends a session that carries nothing for this long. bastiond keeps sessions in use awake; a \
              maximum duration ends them all the same.",
        fix: "raise the idle session timeout in Session Manager's preferences",
        needs: &["ssm:GetDocument"],
        judge: Judge::Account(preferences),
    },
    Check {
        id: "S02",
        title: "the session document takes the host and the port",
        looks_at: "type and `allowedPattern` of the document's parameters",
        levels: &[Level::Fail],
        why: "The document decides which hosts and ports a session may lead to.",
        fix: "widen the allowedPattern of {parameter} in {document}, or mend the tunnel: {value} does not match",
        needs: &["ssm:GetDocument"],
        judge: Judge::Tunnel(document),
    },
    Check {
        id: "S03",
        title: "the container has room for more sessions",
        looks_at: "active sessions on the running task, everybody's",
        levels: &[Level::Warn],
        why: "ECS lets about 20 sessions into a container. More containers with an agent take more.",
        fix: "end sessions that nobody uses (bastiond ctl orphans), or add a container to the task definition",
        needs: &["ecs:ListTasks", "ecs:DescribeTasks", "ssm:DescribeSessions"],
        judge: Judge::Bastion(sessions),
    },
];

fn preferences(account: &Account) -> Result<Verdict, Gap> {
    let Some(content) = known(&account.preferences)? else {
        return Ok(Verdict::ok("AWS's own: 20 min idle, no maximum"));
    };
    let number = |name: &str| {
        let value = &content["inputs"][name];
        let text = value.as_str().map(str::to_owned);
        text.or_else(|| value.as_u64().map(|it| it.to_string()))?
            .parse::<u64>()
            .ok()
    };
    let idle = number("idleSessionTimeout").unwrap_or(20);
    if idle < SHORT_IDLE {
        return Ok(Verdict::warn(format!("idle sessions end after {idle} min")));
    }
    Ok(match number("maxSessionDuration") {
        Some(most) => Verdict::info(format!(
            "{idle} min idle, and every session ends after {most} min"
        ))
        .fix("nothing: bastiond opens another when a session ends"),
        None => Verdict::ok(format!("{idle} min idle")),
    })
}

fn document(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    let Some(document) = known(&tunnel.document)? else {
        return Ok(Verdict::fail("the document does not exist in this region")
            .fix("set `region` under [aws] to one where Session Manager forwards ports"));
    };
    let kind = document.content["sessionType"].as_str().unwrap_or("none");
    if kind != "Port" {
        return Ok(
            Verdict::fail(format!("{} has sessionType {kind}", document.name))
                .fix("use a document with sessionType Port"),
        );
    }
    for (parameter, value) in parameters(tunnel) {
        let pattern = document.content["parameters"][parameter]["allowedPattern"].as_str();
        if let Some(pattern) = pattern
            && !accepts(pattern, &value)
        {
            let evidence = format!("{parameter} must match {pattern}, and {value} does not");
            return Ok(Verdict::fail(evidence)
                .fill("parameter", parameter)
                .fill("document", &document.name)
                .fill("value", value));
        }
    }
    Ok(Verdict::ok(&document.name))
}

/// The parameters, as far as they are known.
fn parameters(tunnel: &Tunnel) -> Vec<(&'static str, String)> {
    let (host, port) = match (&tunnel.config.remote, &tunnel.address) {
        (Remote::Host { name, port }, _) => (Some(name.clone()), Some(*port)),
        (Remote::Target { port }, _) => (None, Some(*port)),
        (Remote::Database { .. }, Some(Ok(found))) => (Some(found.host.clone()), Some(found.port)),
        (Remote::Database { port, .. }, _) => (None, *port),
    };
    let host = host.map(|host| ("host", host));
    host.into_iter()
        .chain(port.map(|port| ("portNumber", port.to_string())))
        .collect()
}

/// A pattern that we cannot read is AWS's to judge.
fn accepts(pattern: &str, value: &str) -> bool {
    let whole = Regex::new(&format!("^(?:{pattern})$"));
    whole.map_or(true, |pattern| pattern.is_match(value))
}

fn sessions(bastion: &Bastion) -> Result<Verdict, Gap> {
    if known(&bastion.tasks)?.is_empty() {
        return Ok(Verdict::ok("no task runs"));
    }
    let count = *known(&bastion.sessions)?;
    Ok(match count {
        0..MANY => Verdict::ok(format!("{count} active")),
        _ => Verdict::warn(format!("{count} sessions are active on the task")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::facts::Document;
    use crate::doctor::fixture;

    #[test]
    fn a_host_or_port_that_the_document_refuses_is_told() {
        let with = |parameters: Value| {
            let document = Document {
                name: "mine".into(),
                content: json!({"sessionType": "Port", "parameters": parameters}),
            };
            let tunnel = Tunnel {
                document: Ok(Some(document)),
                ..fixture::tunnel()
            };
            super::document(&tunnel).unwrap()
        };
        assert_eq!(with(json!({})).level, Level::Ok);
        let fits = json!({"host": {"allowedPattern": "^db\\..*$"}, "portNumber": {"allowedPattern": "^5432$"}});
        assert_eq!(with(fits).level, Level::Ok);
        let unread = json!({"host": {"allowedPattern": "^(?!169).*$"}});
        assert_eq!(with(unread).level, Level::Ok);
        let refused = with(json!({"portNumber": {"allowedPattern": "^3306$"}}));
        assert_eq!(refused.level, Level::Fail);
        let fix = refused.fix_of(&CHECKS[1]).unwrap();
        assert!(
            fix.contains("portNumber in mine") && fix.contains("5432 does not match"),
            "{fix}"
        );
    }

    #[test]
    fn preferences_are_numbers_or_texts() {
        let with = |inputs: Value| {
            let account = Account {
                preferences: Ok(Some(json!({"inputs": inputs}))),
                ..fixture::account()
            };
            preferences(&account).unwrap().level
        };
        assert_eq!(with(json!({"idleSessionTimeout": "5"})), Level::Warn);
        assert_eq!(with(json!({"idleSessionTimeout": 9})), Level::Warn);
        assert_eq!(with(json!({"idleSessionTimeout": "10"})), Level::Ok);
        assert_eq!(with(json!({"maxSessionDuration": "60"})), Level::Info);
        assert_eq!(
            with(json!({"idleSessionTimeout": "", "maxSessionDuration": ""})),
            Level::Ok
        );
    }

    #[test]
    fn a_container_near_its_limit_is_told() {
        let with = |count| {
            let bastion = Bastion {
                tasks: Ok(vec![fixture::task()]),
                sessions: Ok(count),
                ..fixture::bastion()
            };
            sessions(&bastion).unwrap().level
        };
        assert_eq!(with(14), Level::Ok);
        assert_eq!(with(15), Level::Warn);
    }
}
