//! Words in two languages, looked up when the page is made.
//!
//! View code names keys (`t!("cart.title")`), never sentences. Both dictionaries are compiled into
//! the server; the browser fetches only the one it needs (`/locale/<lang>.<build>.json`, with the first
//! island that it meets), so a page costs one language at most. The lookup is at run time because a generated function
//! a key would put every sentence into the wasm. Nor do the keys themselves stand there: data can't be
//! split off by areas, so that each name would travel with the first load of every page. [`Key`] is
//! reckoned from the name by the compiler.
//!
//! In the texts `{name}` is a gap, and `{n|item|items}` picks by the number `n` (1, or else).

#[cfg(feature = "hydrate")]
use std::sync::OnceLock;
use std::{borrow::Cow, collections::HashMap, fmt::Write};

use lingbao_model::{
    money::grouped_signed,
    msg::{Arg, Msg},
    time::Zone,
};

/// A language of the portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Chinese, the first language: what is missing elsewhere appears in it.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// All languages, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The tag for `<html lang>`, for the cookie and for the name of the dictionary.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The language of a tag, by its first part: `zh`, `zh-Hans-CN`, `en-GB`.
    pub fn parse(tag: &str) -> Option<Self> {
        match tag.trim().split(['-', ';']).next() {
            Some(first) if first.eq_ignore_ascii_case("zh") => Some(Self::Zh),
            Some(first) if first.eq_ignore_ascii_case("en") => Some(Self::En),
            _ => None,
        }
    }

    /// The first known language of an `Accept-Language` header; browsers list them by preference.
    pub fn accepted(header: &str) -> Self {
        header.split(',').find_map(Self::parse).unwrap_or_default()
    }
}

/// Where the browser finds a dictionary; the build in the name lets it be cached for ever.
pub fn file_path(lang: Lang, build: &str) -> String {
    format!("/locale/{}.{build}.json", lang.tag())
}

/// A key as the program has it: a number reckoned from its name. The server keeps the name beside it,
/// and shows it where a text is missing.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    mark: u32,
    #[cfg(feature = "ssr")]
    name: &'static str,
}

impl Key {
    /// The key of a name; in a `const`, or the name stays in the program.
    pub const fn of(name: &'static str) -> Self {
        Self {
            mark: mark(name),
            #[cfg(feature = "ssr")]
            name,
        }
    }
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>), folded to 27 bits: these are four bytes in
/// wasm, where 32 are five. Two keys of one mark are found by a test.
const fn mark(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let (mut hash, mut at) = (0x811c_9dc5_u32, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash >> 27) ^ (hash & ((1 << 27) - 1))
}

/// Texts by the marks of their keys. The texts live as long as the process, so that a lookup copies
/// nothing.
pub struct Dict(HashMap<u32, &'static str>);

impl Dict {
    /// Reads a flat JSON object.
    ///
    /// # Errors
    /// When the text is not a JSON object of strings.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let map: HashMap<String, String> = serde_json::from_str(json)?;
        Ok(Self(
            map.into_iter()
                .map(|(key, text)| (mark(&key), &*Box::leak(text.into_boxed_str())))
                .collect(),
        ))
    }

    fn get(&self, mark: u32) -> Option<&'static str> {
        self.0.get(&mark).copied()
    }
}

/// What only the server has: both dictionaries, and their text as it is sent.
#[cfg(feature = "ssr")]
pub mod ssr {
    use super::{Dict, Lang};
    use std::sync::LazyLock;

    /// The file of a language as it stands in the repository.
    pub fn source(lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => include_str!("../locales/zh-CN.json"),
            Lang::En => include_str!("../locales/en.json"),
        }
    }

    static ZH: LazyLock<Dict> = LazyLock::new(|| read(Lang::Zh));
    static EN: LazyLock<Dict> = LazyLock::new(|| read(Lang::En));

    fn read(lang: Lang) -> Dict {
        // A dictionary that cannot be read is caught by the test below; in a running server the
        // keys are still better than no page.
        Dict::parse(source(lang)).unwrap_or_else(|error| {
            tracing::error!(%error, lang = lang.tag(), "dictionary cannot be read");
            Dict(std::collections::HashMap::new())
        })
    }

    /// The dictionary of a language.
    pub fn dict(lang: Lang) -> &'static Dict {
        match lang {
            Lang::Zh => &ZH,
            Lang::En => &EN,
        }
    }
}

#[cfg(feature = "hydrate")]
static PAGE: OnceLock<(Lang, Dict)> = OnceLock::new();

/// Puts the language of the page in place, once, before the first island wakes.
#[cfg(feature = "hydrate")]
pub fn install(lang: Lang, dict: Dict) {
    // Two islands that meet may both bring it: it is the same.
    let _ = PAGE.set((lang, dict));
}

/// The language of the page being rendered.
pub fn lang() -> Lang {
    #[cfg(feature = "ssr")]
    {
        leptos::prelude::use_context::<Lang>().unwrap_or_default()
    }
    #[cfg(all(feature = "hydrate", not(feature = "ssr")))]
    {
        PAGE.get().map(|page| page.0).unwrap_or_default()
    }
    #[cfg(not(any(feature = "ssr", feature = "hydrate")))]
    {
        Lang::default()
    }
}

/// The text of a key in a language, if there is one.
fn lookup(lang: Lang, mark: u32) -> Option<&'static str> {
    #[cfg(feature = "ssr")]
    {
        ssr::dict(lang)
            .get(mark)
            .or_else(|| ssr::dict(Lang::Zh).get(mark))
    }
    #[cfg(all(feature = "hydrate", not(feature = "ssr")))]
    {
        let _ = lang;
        PAGE.get().and_then(|page| page.1.get(mark))
    }
    #[cfg(not(any(feature = "ssr", feature = "hydrate")))]
    {
        let _ = (lang, mark);
        None
    }
}

/// The text of a key without gaps; a missing text shows its key, which a reader can report, or a
/// question mark in the browser, which has no names.
pub fn t(key: Key) -> &'static str {
    #[cfg(feature = "ssr")]
    let missing = key.name;
    #[cfg(not(feature = "ssr"))]
    let missing = "?";
    lookup(lang(), key.mark).unwrap_or(missing)
}

/// The text of a key that is put together at run time (`format!("state.{code}")`).
pub fn t_key(key: &str) -> Cow<'static, str> {
    lookup(lang(), mark(key)).map_or_else(|| Cow::Owned(key.to_owned()), Cow::Borrowed)
}

/// The text of a key with its gaps filled; use it through `t!("key", name = value)`.
pub fn t_args(key: Key, args: &[(&str, String)]) -> String {
    fill(t(key), |name| {
        args.iter()
            .find(|arg| arg.0 == name)
            .map(|arg| Cow::Borrowed(arg.1.as_str()))
    })
}

/// A name that administrators wrote, in the page's language.
pub fn label(label: &lingbao_model::msg::Label) -> String {
    label.text(lang() == Lang::Zh).to_owned()
}

/// A message of the model as a sentence in the language of the page.
pub fn msg(message: &Msg) -> String {
    msg_in(lang(), message)
}

/// A message in a language other than the page's: notices and mail are written for their reader.
pub fn msg_in(lang: Lang, message: &Msg) -> String {
    let Some(template) = lookup(lang, mark(&message.key)) else {
        return message.key.to_string();
    };
    fill(template, |name| {
        message
            .args
            .iter()
            .find(|arg| arg.0 == name)
            .map(|arg| Cow::Owned(arg_text(lang, &arg.1)))
    })
}

/// One argument as text, the same wherever it is printed.
fn arg_text(lang: Lang, arg: &Arg) -> String {
    match arg {
        Arg::Text(text) => text.clone(),
        Arg::Count(n) => grouped_signed(*n),
        Arg::Money(amount) => amount.yuan(),
        Arg::Date(date) => date.to_string(),
        Arg::Moment(at) => at.minute_text(Zone::SHANGHAI),
        Arg::Label(label) => label.text(lang == Lang::Zh).to_owned(),
        Arg::Msg(inner) => msg_in(lang, inner),
    }
}

/// Fills `{name}` and `{name|one|other}`. An unknown gap stays as it is, so that it is seen.
fn fill<'a>(template: &str, value: impl Fn(&str) -> Option<Cow<'a, str>>) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else {
            break;
        };
        out.push_str(&rest[..open]);
        let gap = &rest[open + 1..open + close];
        let mut parts = gap.split('|');
        let name = parts.next().unwrap_or_default();
        match (value(name), parts.next(), parts.next()) {
            (Some(n), Some(one), Some(other)) => out.push_str(if n == "1" { one } else { other }),
            (Some(text), _, _) => out.push_str(&text),
            (None, _, _) => {
                let _ = write!(out, "{{{gap}}}");
            }
        }
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    out
}

/// The text of a key: `t!("nav.todo")` (`&'static str`) or `t!("list.total", n = 3)` (`String`).
///
/// Keys are literals so that a test can find each in both dictionaries; for a key put together at
/// run time there is [`i18n::t_key`](crate::i18n::t_key).
#[macro_export]
macro_rules! t {
    ($key:literal) => {
        $crate::i18n::t(const { $crate::i18n::Key::of($key) })
    };
    ($key:literal, $($name:ident = $value:expr),+ $(,)?) => {
        $crate::i18n::t_args(const { $crate::i18n::Key::of($key) }, &[$((stringify!($name), ($value).to_string())),+])
    };
}

#[cfg(all(test, feature = "ssr"))]
#[expect(clippy::unwrap_used, reason = "the helpers of the tests stop at once")]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    fn map(lang: Lang) -> BTreeMap<String, String> {
        serde_json::from_str(ssr::source(lang)).unwrap()
    }

    /// Names of the gaps of a text.
    fn gaps(text: &str) -> BTreeSet<String> {
        text.split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}'))
            .map(|(gap, _)| gap.split('|').next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn the_quick_phrases_of_consent_are_known_as_consent() {
        for lang in Lang::ALL {
            let map = map(lang);
            for key in ["approval.phrase.agree", "approval.phrase.agree_leader"] {
                let text = map[key].as_str();
                assert!(lingbao_model::request::CONSENT.contains(&text), "{text}");
            }
        }
    }

    #[test]
    fn both_dictionaries_have_the_same_keys_and_gaps() {
        let (zh, en) = (map(Lang::Zh), map(Lang::En));
        let of = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(
            of(&zh).difference(&of(&en)).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "missing in en.json"
        );
        assert_eq!(
            of(&en).difference(&of(&zh)).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "missing in zh-CN.json"
        );
        for (key, text) in &zh {
            assert_eq!(gaps(text), gaps(&en[key]), "gaps of {key}");
        }
    }

    #[test]
    fn no_two_keys_have_one_mark() {
        let mut seen = BTreeMap::new();
        for key in map(Lang::Zh).into_keys() {
            if let Some(other) = seen.insert(mark(&key), key.clone()) {
                panic!("{key} and {other} have one mark: call one of them otherwise");
            }
        }
    }

    /// A merge by union can leave a key twice; JSON readers silently take the last.
    #[test]
    fn no_key_stands_twice() {
        for lang in Lang::ALL {
            let mut seen = BTreeSet::new();
            for line in ssr::source(lang).lines() {
                if let Some((key, _)) = line
                    .trim()
                    .strip_prefix('"')
                    .and_then(|l| l.split_once('"'))
                {
                    assert!(
                        seen.insert(key),
                        "{key} stands twice in {}.json",
                        lang.tag()
                    );
                }
            }
        }
    }

    /// Every literal key of the sources, so that nobody reads a raw key.
    #[test]
    fn every_key_used_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let (zh, mut missing, mut found) = (map(Lang::Zh), BTreeSet::new(), 0);
        for dir in [
            "app/src",
            "crates/model/src",
            "crates/core/src",
            "crates/backends/src",
            "server/src",
        ] {
            visit(&root.join(dir), &mut |file, source| {
                for key in keys(source) {
                    found += 1;
                    if !zh.contains_key(key) {
                        missing.insert(format!("{key} ({})", file.display()));
                    }
                }
            });
        }
        assert!(found > 50, "the search itself is broken: {found} keys");
        assert!(missing.is_empty(), "keys without text: {missing:#?}");
    }

    fn visit(dir: &Path, see: &mut impl FnMut(&Path, &str)) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, see);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !["tests.rs", "testing.rs", "harness.rs"]
                    .iter()
                    .any(|name| path.ends_with(name))
            {
                see(&path, &std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// Keys in `t!("…")` and `Msg::new("…")`, outside comments and test modules.
    fn keys(source: &str) -> impl Iterator<Item = &str> {
        source
            .split("#[cfg(test)]\nmod ")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| {
                ["t!(\"", "Msg::new(\""]
                    .into_iter()
                    .flat_map(move |call| line.split(call).skip(1))
            })
            .filter_map(|rest| rest.split_once('"').map(|(key, _)| key))
            .filter(|key| key.contains('.') && !key.contains(['/', ' ', '{']))
    }

    #[test]
    fn gaps_are_filled() {
        let value = |name: &str| (name == "n").then_some(Cow::Borrowed("1"));
        assert_eq!(fill("{n} {n|item|items}, {who}", value), "1 item, {who}");
        assert_eq!(
            fill("{n} {n|item|items}", |_| Some(Cow::Borrowed("2"))),
            "2 items"
        );
        assert_eq!(fill("open { end", value), "open { end");
    }

    #[test]
    fn languages_are_taken_from_the_header() {
        assert_eq!(Lang::accepted("fr-FR,en-GB;q=0.8,zh;q=0.5"), Lang::En);
        assert_eq!(Lang::accepted("zh-Hans-CN"), Lang::Zh);
        assert_eq!(Lang::accepted(""), Lang::Zh);
    }
}
