//! The parameters of a call: names and values as a form.

use form_urlencoded::Serializer;

use super::Call;

/// The parameters of a call.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Form(Vec<(String, String)>);

impl Form {
    /// Of a call that has no more to say.
    pub(in crate::aws) fn of(call: Call) -> Self {
        let mut form = Self(Vec::new());
        form.add("Action", call.action);
        form.add("Version", call.service.version());
        form
    }

    /// One more.
    pub(in crate::aws) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// A list: `NAME.1`, `NAME.2` and so on.
    pub(in crate::aws) fn add_all(&mut self, name: &str, values: &[String]) {
        for (index, value) in values.iter().enumerate() {
            self.add(&format!("{name}.{}", index + 1), value);
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = Serializer::new(String::new());
        text.extend_pairs(&self.0);
        text.finish()
    }
}
