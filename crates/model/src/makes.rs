//! What a cloud makes in a pool: the images, sizes and disk classes that an order may name there.
//!
//! Clouds tell it now and then, and an order is held against what they said last. Of a pool of which
//! nothing was told nothing is known, and nothing is refused.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::Fulfiller;
use crate::msg::Msg;
use crate::param::Answers;

/// The architecture of hosts whose order names none.
pub const GENERAL: &str = "general";

/// In the place of an architecture: each of them.
pub const EACH: &str = "";

/// What is made of hosts of one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hosts {
    /// Codes of the images.
    pub images: Vec<String>,
    /// Cores and memory (GiB); `None` is any size.
    pub sizes: Option<Vec<(i64, i64)>>,
}

/// What is made in a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Makes {
    /// Hosts by the code of their architecture; [`EACH`] for all that have no line of their own.
    pub hosts: BTreeMap<String, Hosts>,
    /// Codes of disk classes; `None` is any.
    pub disk_classes: Option<Vec<String>>,
}

impl Makes {
    /// Hosts of an architecture, if any are made.
    pub fn hosts_of(&self, arch: &str) -> Option<&Hosts> {
        self.hosts.get(arch).or_else(|| self.hosts.get(EACH))
    }

    /// Whether any host is made from this image.
    pub fn has_image(&self, code: &str) -> bool {
        let mut all = self.hosts.values();
        all.any(|hosts| hosts.images.iter().any(|image| image == code))
    }

    /// Whether disks of this class are made.
    pub fn has_class(&self, code: &str) -> bool {
        let all = self.disk_classes.as_ref();
        all.is_none_or(|all| all.iter().any(|class| class == code))
    }

    /// Why a thing with these answers can't be made; the caller adds line and pool. Each reason is
    /// told where the one before it holds: without the architecture there is no image of it.
    pub fn lack(&self, kind: Fulfiller, answers: &Answers) -> Option<Msg> {
        match kind {
            Fulfiller::Server => {
                let arch = answers.text("arch").unwrap_or(GENERAL);
                let Some(hosts) = self.hosts_of(arch) else {
                    return Some(Msg::new("verdict.no_arch"));
                };
                let image = answers.text("image");
                let image = image.filter(|code| !hosts.images.iter().any(|there| there == code));
                let no_image = image.map(|code| Msg::new("verdict.no_image").with("image", code));
                no_image.or_else(|| hosts.lack_size("verdict.no_size", answers))
            }
            Fulfiller::Volume => {
                let class = answers.text("disk_class")?;
                let missing = !self.has_class(class);
                missing.then(|| Msg::new("verdict.no_disk_class").with("class", class))
            }
            Fulfiller::Address | Fulfiller::Backup | Fulfiller::People => None,
        }
    }

    /// Why a host that stands can't be given these answers' size. Of one whose architecture nobody
    /// wrote down its cloud alone knows.
    pub fn lack_of_resize(&self, answers: &Answers) -> Option<Msg> {
        let hosts = self.hosts_of(answers.text("arch")?)?;
        hosts.lack_size("change.no_size", answers)
    }
}

impl Hosts {
    fn lack_size(&self, key: &'static str, answers: &Answers) -> Option<Msg> {
        let all = self.sizes.as_ref()?;
        let wanted = (answers.integer("vcpus")?, answers.integer("memory_gb")?);
        let missing = !all.contains(&wanted);
        missing.then(|| {
            Msg::new(key)
                .with("vcpus", wanted.0)
                .with("memory", wanted.1)
        })
    }
}

/// All sizes of hosts that any of these pools makes; `None` if one makes any size.
pub fn sizes<'a>(pools: impl IntoIterator<Item = &'a Makes>) -> Option<BTreeSet<(i64, i64)>> {
    let mut all = BTreeSet::new();
    for hosts in pools.into_iter().flat_map(|makes| makes.hosts.values()) {
        all.extend(hosts.sizes.as_ref()?.iter().copied());
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Answer;

    fn answers(all: &[(&str, &str)]) -> Answers {
        let read = |text: &str| match text.parse() {
            Ok(n) => Answer::Integer(n),
            Err(_) => Answer::Text(text.to_owned()),
        };
        let all = all
            .iter()
            .map(|(key, text)| ((*key).to_owned(), read(text)));
        Answers(all.collect())
    }

    fn pool() -> Makes {
        let hosts = |image: &str, sizes| Hosts {
            images: vec![image.to_owned()],
            sizes,
        };
        Makes {
            hosts: BTreeMap::from([
                (GENERAL.to_owned(), hosts("debian-12", None)),
                (
                    "kunpeng".to_owned(),
                    hosts("kylin-v10", Some(vec![(4, 8), (8, 16)])),
                ),
            ]),
            disk_classes: Some(vec!["ssd".to_owned()]),
        }
    }

    fn key(lack: Option<Msg>) -> String {
        lack.map(|msg| msg.key.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_host_must_be_made_with_its_architecture_image_and_size_together() {
        let says = |arch: &str, image: &str, vcpus: &str| {
            let typed = [
                ("arch", arch),
                ("image", image),
                ("vcpus", vcpus),
                ("memory_gb", "8"),
            ];
            key(pool().lack(Fulfiller::Server, &answers(&typed)))
        };
        assert_eq!(says("general", "debian-12", "3"), "");
        assert_eq!(says("general", "kylin-v10", "3"), "verdict.no_image");
        assert_eq!(says("kunpeng", "kylin-v10", "4"), "");
        assert_eq!(says("kunpeng", "debian-12", "4"), "verdict.no_image");
        assert_eq!(says("kunpeng", "kylin-v10", "3"), "verdict.no_size");
        assert_eq!(says("hygon", "kylin-v10", "4"), "verdict.no_arch");
        // Who names no architecture gets a general host.
        let typed = answers(&[("image", "debian-12")]);
        assert_eq!(key(pool().lack(Fulfiller::Server, &typed)), "");
    }

    #[test]
    fn a_pool_that_makes_whatever_one_names_refuses_no_architecture_size_or_class() {
        let any = Hosts {
            images: vec!["kylin-v10".to_owned()],
            sizes: None,
        };
        let makes = Makes {
            hosts: BTreeMap::from([(EACH.to_owned(), any)]),
            disk_classes: None,
        };
        let host = answers(&[("arch", "hygon"), ("image", "kylin-v10"), ("vcpus", "63")]);
        assert_eq!(makes.lack(Fulfiller::Server, &host), None);
        let disk = answers(&[("disk_class", "sas")]);
        assert_eq!(makes.lack(Fulfiller::Volume, &disk), None);
        assert_eq!(
            key(pool().lack(Fulfiller::Volume, &disk)),
            "verdict.no_disk_class"
        );
        assert_eq!(sizes([&makes]), None);
    }

    #[test]
    fn a_host_that_stands_is_refused_a_size_and_nothing_else() {
        let says = |typed: &[(&str, &str)]| key(pool().lack_of_resize(&answers(typed)));
        let to = |arch: &'static str, vcpus| [("arch", arch), ("vcpus", vcpus), ("memory_gb", "8")];
        assert_eq!(says(&to("kunpeng", "4")), "");
        assert_eq!(says(&to("kunpeng", "3")), "change.no_size");
        // What its cloud does not make any more may stand there still.
        assert_eq!(says(&to("hygon", "3")), "");
        assert_eq!(says(&[("vcpus", "3"), ("memory_gb", "8")]), "");
    }
}
