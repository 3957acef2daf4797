//! Installing a host's system anew (重装系统), with another key or another password.
//!
//! A key of the order is read at the first start only, so another one means another first start: the
//! system disk is written anew. Everything else of the host stays.

use serde::{Deserialize, Serialize};

use crate::{
    msg::{FieldError, Msg},
    param::{Answer, Answers, Choice, Kind, Schema, Typed},
};

/// The parameters of a host that say how its owner gets in.
const WAY: [&str; 2] = ["access", "ssh_key"];
/// Of the first one, with a key of one's own.
const KEY: &str = "ssh_key";
/// Of the first one, with a password that is shown once.
const PASSWORD: &str = "password";

/// What somebody types who has a host's system installed anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ReinstallForm {
    /// `ssh_key` or `password`.
    pub access: String,
    /// The public key in OpenSSH form; empty for a password.
    pub ssh_key: String,
    /// The name of the host, since it can't be undone.
    pub confirm: String,
}

/// The ways in that an item offers. `passwords`: whether its cloud makes them.
#[must_use]
pub fn ways(schema: &Schema, passwords: bool) -> Vec<Choice> {
    let Some(Kind::Choice { options, .. }) = schema.get(WAY[0]).map(|param| &param.kind) else {
        return Vec::new();
    };
    let offered = |one: &&Choice| match one.value.as_str() {
        KEY => schema.get(KEY).is_some(),
        PASSWORD => passwords,
        _ => false,
    };
    options.iter().filter(offered).cloned().collect()
}

/// The way in by a host's answers.
#[must_use]
pub fn way(answers: &Answers) -> &str {
    answers.text(WAY[0]).unwrap_or(PASSWORD)
}

/// The answers of a host that was installed anew with a key, or (`None`) with a password.
#[must_use]
pub fn with_way(was: &Answers, key: Option<&str>) -> Answers {
    let mut answers = was.clone();
    answers.0.retain(|name, _| !WAY.contains(&name.as_str()));
    let way = if key.is_some() { KEY } else { PASSWORD };
    let text = |text: &str| Answer::Text(text.to_owned());
    answers.0.insert(WAY[0].to_owned(), text(way));
    if let Some(key) = key {
        answers.0.insert(KEY.to_owned(), text(key));
    }
    answers
}

impl ReinstallForm {
    /// The key, or `None` for a password; read as the order's form reads it. `was`: the host's answers.
    ///
    /// # Errors
    /// On `access`, `ssh_key` and `confirm`.
    pub fn read(
        &self,
        schema: &Schema,
        was: &Answers,
        name: &str,
        passwords: bool,
    ) -> Result<Option<String>, Vec<FieldError>> {
        let answers = was.0.iter();
        let mut typed: Typed = answers.map(|(k, a)| (k.clone(), a.typed())).collect();
        typed.insert(WAY[0].to_owned(), self.access.clone());
        typed.insert(KEY.to_owned(), self.ssh_key.clone());
        let (answers, mut errors) = match schema.read(&typed) {
            Ok(answers) => (answers, Vec::new()),
            Err((answers, wrong)) => (answers, wrong),
        };
        // What else stands there was read when it was ordered.
        errors.retain(|error| WAY.contains(&error.field.as_str()));
        let access = self.access.trim();
        let offered = ways(schema, passwords).iter().any(|w| w.value == access);
        if !offered && !errors.iter().any(|error| error.field == WAY[0]) {
            errors.push(FieldError::new(WAY[0], Msg::new("error.not_in_list")));
        }
        if self.confirm.trim() != name {
            let msg = Msg::new("reinstall.confirm_wrong").with("name", name.to_owned());
            errors.push(FieldError::new("confirm", msg));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let key = answers.text(KEY).filter(|_| access == KEY);
        Ok(key.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6xkN2y7b4mF0v8uTq1wZs3dYh5rLc9jEoGiVpXtB zhang";

    fn schema() -> Schema {
        serde_json::from_str(
            r#"[{"key":"image","label":{"zh":"操作系统"},"type":"choice","default":"a","required":true,
                 "options":[{"value":"a","label":{"zh":"甲"}}]},
                {"key":"access","label":{"zh":"登录方式"},"type":"choice","default":"password","required":true,
                 "options":[{"value":"password","label":{"zh":"一次性密码"}},{"value":"ssh_key","label":{"zh":"公钥"}}]},
                {"key":"ssh_key","label":{"zh":"公钥"},"type":"text","shape":"ssh_key","max_chars":4000,
                 "required":true,"depends_on":{"if":"one_of","param":"access","values":["ssh_key"]}}]"#,
        )
        .unwrap()
    }

    fn was() -> Answers {
        let image = ("image".to_owned(), Answer::Text("gone".into()));
        with_way(&Answers([image].into()), None)
    }

    fn read(
        access: &str,
        key: &str,
        confirm: &str,
        passwords: bool,
    ) -> Result<Option<String>, String> {
        let form = ReinstallForm {
            access: access.into(),
            ssh_key: key.into(),
            confirm: confirm.into(),
        };
        form.read(&schema(), &was(), "web", passwords)
            .map_err(|all| {
                all.iter()
                    .map(|e| format!("{}:{} ", e.field, e.msg.key))
                    .collect()
            })
    }

    #[test]
    fn a_key_is_read_as_in_an_order_and_the_name_is_typed() {
        assert_eq!(read("ssh_key", GOOD, "web", true), Ok(Some(GOOD.into())));
        // A key that was pasted and then not chosen is none.
        assert_eq!(read("password", "x", " web ", true), Ok(None));
        let bad = "-----BEGIN OPENSSH PRIVATE KEY-----";
        for (access, key, confirm, passwords, says) in [
            ("ssh_key", bad, "web", true, "ssh_key:error.ssh_key "),
            ("ssh_key", "", "web", true, "ssh_key:error.required "),
            (
                "ssh_key",
                GOOD,
                "Web",
                true,
                "confirm:reinstall.confirm_wrong ",
            ),
            ("password", "", "web", false, "access:error.not_in_list "),
            (
                "none",
                "",
                "",
                true,
                "access:error.not_in_list confirm:reinstall.confirm_wrong ",
            ),
            ("", "", "web", true, "access:error.required "),
        ] {
            assert_eq!(
                read(access, key, confirm, passwords),
                Err(says.to_owned()),
                "{access} {key}"
            );
        }
    }

    #[test]
    fn the_answers_hold_the_new_way_in_and_nothing_of_the_old_one() {
        let with_key = with_way(&was(), Some(GOOD));
        assert_eq!(
            (way(&with_key), with_key.text("ssh_key")),
            ("ssh_key", Some(GOOD))
        );
        let again = with_way(&with_key, None);
        assert_eq!((way(&again), again.text("ssh_key")), ("password", None));
        assert_eq!(again.text("image"), Some("gone"));
    }

    #[test]
    fn a_cloud_without_passwords_and_an_item_without_keys_offer_less() {
        let of = |schema: &Schema, passwords| {
            let all = ways(schema, passwords).into_iter();
            all.map(|one| one.value).collect::<Vec<_>>()
        };
        assert_eq!(of(&schema(), true), ["password", "ssh_key"]);
        assert_eq!(of(&schema(), false), ["ssh_key"]);
        let mut keyless = schema();
        keyless.0.pop();
        assert_eq!(of(&keyless, true), ["password"]);
        assert!(of(&Schema::default(), true).is_empty());
    }
}
