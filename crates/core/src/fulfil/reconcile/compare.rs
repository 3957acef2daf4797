//! What both sides say of one thing. Pure: a row of ours and an object of the cloud go in.

use lingbao_backends::provisioning::{
    ExternalId, Kind, LetIn, Object, Power, Server, Snapshot, VolumeState,
};
use lingbao_model::{
    access_rule,
    catalogue::Fulfiller,
    param::Answers,
    resource::ServiceState,
    view::difference::{Aspect, Said, ThingKind},
};

use crate::{
    fulfil::pieces,
    storage::difference::{About, KeptSnapshot, Ours},
};

/// How a thing stands beside our row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both say the same.
    Agrees,
    /// It is between two states: what it is will be seen when it has come to rest.
    Moving(Vec<Said>),
    /// It stands in an error.
    Broken(Vec<Said>),
    /// They differ.
    Differs(Vec<Said>),
}

/// The kind of thing that an object is; `None` for what is not compared: projects and networks stay
/// for the next order, backups are their plans'.
#[must_use]
pub const fn thing(object: &Object) -> Option<ThingKind> {
    match object {
        Object::Server(_) => Some(ThingKind::Server),
        Object::Volume(_) => Some(ThingKind::Volume),
        Object::Address(_) => Some(ThingKind::Address),
        Object::BackupPlan(_) => Some(ThingKind::Backup),
        Object::Snapshot(_) => Some(ThingKind::Snapshot),
        Object::Project(_) | Object::Network(_) | Object::Backup(_) => None,
    }
}

/// What a backend calls a kind of thing that is compared.
#[must_use]
pub const fn kind_of_thing(thing: ThingKind) -> Kind {
    match thing {
        ThingKind::Server => Kind::Server,
        ThingKind::Volume => Kind::Volume,
        ThingKind::Address => Kind::Address,
        ThingKind::Backup => Kind::BackupPlan,
        ThingKind::Snapshot => Kind::Snapshot,
        ThingKind::Network => Kind::Network,
    }
}

/// What a backend calls a kind of thing.
#[must_use]
pub const fn kind_of(thing: Fulfiller) -> Option<Kind> {
    match thing {
        Fulfiller::Server => Some(Kind::Server),
        Fulfiller::Volume => Some(Kind::Volume),
        Fulfiller::Address => Some(Kind::Address),
        Fulfiller::Backup => Some(Kind::BackupPlan),
        Fulfiller::People => None,
    }
}

/// The cloud's name of an object, for people.
#[must_use]
pub fn name(object: &Object) -> String {
    match object {
        Object::Server(server) => server.spec.name.clone(),
        Object::Volume(volume) => volume.spec.name.clone(),
        Object::Address(address) => address.address.to_string(),
        Object::Snapshot(snapshot) => snapshot.spec.name.clone(),
        other => other.id().to_string(),
    }
}

const fn power(power: Power) -> &'static str {
    match power {
        Power::Building => "building",
        Power::Active => "running",
        Power::Changing => "changing",
        Power::Stopped => "stopped",
        Power::Error => "error",
    }
}

const fn state(state: VolumeState) -> &'static str {
    match state {
        VolumeState::Ready => "ready",
        VolumeState::Changing => "changing",
        VolumeState::Error => "error",
    }
}

/// How a backup plan runs.
fn schedule(every_hours: u32, keep_days: u32) -> String {
    format!("{every_hours}/{keep_days}")
}

/// What a server's power should be; one in the recycle bin is switched off.
const fn power_should_be(service: ServiceState) -> &'static str {
    match service {
        ServiceState::Recycled => ServiceState::Stopped.as_str(),
        other => other.as_str(),
    }
}

fn answer(answers: &Answers, key: &str) -> Option<String> {
    answers.integer(key).map(|n| n.to_string())
}

/// Nothing that is open is nothing to say.
fn open(rules: String) -> Option<String> {
    Some(rules).filter(|rules| !rules.is_empty())
}

/// What both say of what may come in to a host; `None` where neither lets anything in.
fn rules(ours: &Ours, let_in: &LetIn) -> Option<Said> {
    let said = Said {
        aspect: Aspect::Rules,
        ours: open(access_rule::text_of(&ours.rules, &[])),
        cloud: open(access_rule::text_of(&let_in.rules, &let_in.others)),
    };
    (said.ours.is_some() || said.cloud.is_some()).then_some(said)
}

/// Whether the cloud lets in to a host what our row does not, or the other way round.
#[must_use]
pub fn lets_in_otherwise(ours: &Ours, let_in: &LetIn) -> bool {
    rules(ours, let_in).is_some_and(|said| said.differs())
}

/// What we say, aspect by aspect.
fn ours_say(ours: &Ours) -> Vec<(Aspect, Option<String>)> {
    let size = |key| answer(&ours.answers, key);
    let target = ours.target.as_ref().map(|(_, name)| name.clone());
    let name = ours.cloud_name.as_ref().unwrap_or(&ours.name);
    match ours.kind {
        Fulfiller::Server => vec![
            (
                Aspect::Power,
                Some(power_should_be(ours.service).to_owned()),
            ),
            (Aspect::Vcpus, size("vcpus")),
            (Aspect::Memory, size("memory_gb")),
            (Aspect::Name, Some(name.clone())),
            (Aspect::Address, ours.address.clone()),
            (Aspect::Rules, open(access_rule::text_of(&ours.rules, &[]))),
        ],
        Fulfiller::Volume => vec![
            (Aspect::State, Some(state(VolumeState::Ready).to_owned())),
            (Aspect::Size, size("size_gb")),
            (
                Aspect::Class,
                ours.answers.text("disk_class").map(str::to_owned),
            ),
            (Aspect::Name, Some(name.clone())),
            (Aspect::Target, target),
        ],
        Fulfiller::Address => vec![
            (Aspect::Address, ours.address.clone()),
            (Aspect::Target, target),
        ],
        Fulfiller::Backup => {
            let (every_hours, keep_days) = pieces::schedule(&ours.answers);
            let runs = (keep_days > 0).then(|| schedule(every_hours, keep_days));
            vec![(Aspect::Target, target), (Aspect::Schedule, runs)]
        }
        Fulfiller::People => Vec::new(),
    }
}

/// What the cloud says, aspect by aspect. `named` gives the name of what a thing hangs on.
fn cloud_says(
    object: &Object,
    named: impl Fn(&ExternalId) -> String,
) -> Vec<(Aspect, Option<String>)> {
    match object {
        Object::Server(it) => vec![
            (Aspect::Power, Some(power(it.power).to_owned())),
            (Aspect::Vcpus, Some(it.spec.vcpus.to_string())),
            (Aspect::Memory, Some(it.spec.memory_gb.to_string())),
            (Aspect::Name, Some(it.spec.name.clone())),
            (
                Aspect::Address,
                (!it.private_address.is_unspecified()).then(|| it.private_address.to_string()),
            ),
        ],
        Object::Volume(it) => vec![
            (Aspect::State, Some(state(it.state).to_owned())),
            (Aspect::Size, Some(it.spec.size_gb.to_string())),
            (Aspect::Class, it.spec.volume_type.clone()),
            (Aspect::Name, Some(it.spec.name.clone())),
            (Aspect::Target, it.attached_to.as_ref().map(named)),
        ],
        Object::Address(it) => vec![
            (Aspect::Address, Some(it.address.to_string())),
            (Aspect::Target, it.associated_with.as_ref().map(named)),
        ],
        Object::BackupPlan(it) => vec![
            (Aspect::Target, Some(named(&it.spec.target))),
            (
                Aspect::Schedule,
                Some(schedule(it.spec.every_hours, it.spec.keep_days)),
            ),
        ],
        Object::Snapshot(it) => vec![
            (Aspect::Size, Some(it.size_gb.to_string())),
            (Aspect::Name, Some(it.spec.name.clone())),
            (Aspect::Target, Some(named(&it.spec.volume))),
        ],
        Object::Project(_) | Object::Network(_) | Object::Backup(_) => Vec::new(),
    }
}

/// What we say of something that the cloud does not have.
#[must_use]
pub fn missing(ours: &Ours) -> Vec<Said> {
    let alone = |(aspect, ours)| Said {
        aspect,
        ours,
        cloud: None,
    };
    ours_say(ours)
        .into_iter()
        .filter(|(_, said)| said.is_some())
        .map(alone)
        .collect()
}

/// What we say of a snapshot that the cloud does not have.
#[must_use]
pub fn missing_snapshot(kept: &KeptSnapshot) -> Vec<Said> {
    let alone = |(aspect, ours)| Said {
        aspect,
        ours: Some(ours),
        cloud: None,
    };
    [
        (Aspect::Size, kept.size_gb.to_string()),
        (Aspect::Name, kept.name.clone()),
        (Aspect::Target, kept.disk_name.clone()),
    ]
    .map(alone)
    .into()
}

/// What a thing hangs on: the host of a disk or an address, what a plan backs up, the disk of a
/// snapshot.
#[must_use]
pub const fn hangs_on(object: &Object) -> Option<&ExternalId> {
    match object {
        Object::Volume(it) => it.attached_to.as_ref(),
        Object::Address(it) => it.associated_with.as_ref(),
        Object::BackupPlan(it) => Some(&it.spec.target),
        Object::Snapshot(it) => Some(&it.spec.volume),
        Object::Server(_) | Object::Project(_) | Object::Network(_) | Object::Backup(_) => None,
    }
}

/// Whether a host uses it: then it is not deleted.
#[must_use]
pub const fn hangs_on_host(object: &Object) -> bool {
    matches!(object, Object::Volume(_) | Object::Address(_)) && hangs_on(object).is_some()
}

/// What the cloud says of something that is nobody's.
#[must_use]
pub fn foreign(object: &Object) -> Vec<Said> {
    let alone = |(aspect, cloud)| Said {
        aspect,
        ours: None,
        cloud,
    };
    cloud_says(object, ToString::to_string)
        .into_iter()
        .filter(|(_, said)| said.is_some())
        .map(alone)
        .collect()
}

/// What else is known of something that is nobody's.
#[must_use]
pub fn about(object: &Object) -> About {
    let mut about = About {
        project: object.project().to_string(),
        ..About::default()
    };
    match object {
        Object::Server(it) => return about_server(it),
        Object::Volume(it) => {
            about.pool = it.spec.pool.to_string();
            about.disk_gb = it.spec.size_gb;
        }
        Object::Address(it) => {
            about.pool = it.spec.pool.to_string();
            about.mbps = it.spec.bandwidth_mbps;
        }
        Object::Snapshot(Snapshot { size_gb, .. }) => about.disk_gb = *size_gb,
        _ => {}
    }
    about
}

/// What else is known of a server that is nobody's.
fn about_server(it: &Server) -> About {
    let (zone, pools) = it.stands.as_ref().map_or_else(Default::default, |stands| {
        let pools = stands.pools.iter().map(ToString::to_string);
        (stands.zone.clone(), pools.collect())
    });
    About {
        project: it.spec.project.to_string(),
        pool: it.spec.pool.to_string(),
        zone,
        pools,
        vcpus: it.spec.vcpus,
        memory_gb: it.spec.memory_gb,
        disk_gb: it.spec.system_disk_gb,
        mbps: 0,
        image: it.spec.image.clone(),
    }
}

/// Holds a row of ours beside the object that it names and, of a server whose cloud tells it, what
/// comes in beside its preset.
#[must_use]
pub fn compare(ours: &Ours, object: &Object, let_in: Option<&LetIn>) -> Verdict {
    // Where a thing hangs is told by ids; people read names.
    let named = |id: &ExternalId| match &ours.target {
        Some((there, name)) if *there == id.0 => name.clone(),
        _ => id.to_string(),
    };
    let cloud = cloud_says(object, named);
    let mut said: Vec<Said> = Vec::new();
    for (aspect, ours_said) in ours_say(ours) {
        let cloud_said = cloud
            .iter()
            .find(|(of, _)| *of == aspect)
            .and_then(|(_, said)| said.clone());
        // What one side does not know says nothing: an address that is still to come, an item
        // without such a parameter. Hanging on nothing is something to say.
        let known = ours_said.is_some() && cloud_said.is_some();
        // What hangs on a thing without a name in the cloud can't be compared.
        let comparable = ours.attached == ours.target.is_some();
        if known || (aspect == Aspect::Target && comparable) {
            said.push(Said {
                aspect,
                ours: ours_said,
                cloud: cloud_said,
            });
        }
    }
    if let Object::Volume(volume) = object {
        match volume.state {
            VolumeState::Error => return Verdict::Broken(said),
            VolumeState::Changing => return Verdict::Moving(said),
            VolumeState::Ready => {}
        }
    }
    if let Object::Server(server) = object {
        said.extend(let_in.and_then(|let_in| rules(ours, let_in)));
        match server.power {
            Power::Error => return Verdict::Broken(said),
            Power::Building | Power::Changing => return Verdict::Moving(said),
            Power::Active | Power::Stopped if ours.service == ServiceState::Changing => {
                return Verdict::Agrees;
            }
            Power::Active | Power::Stopped => {}
        }
    }
    if said.iter().any(Said::differs) {
        Verdict::Differs(said)
    } else {
        Verdict::Agrees
    }
}

#[cfg(test)]
mod tests {
    use lingbao_backends::provisioning::{
        Access, Address, AddressSpec, BackupPlan, BackupPlanSpec, ServerSpec, Volume, VolumeSpec,
    };
    use lingbao_model::{money::Money, time::Timestamp};

    use super::*;

    fn ours(kind: Fulfiller) -> Ours {
        Ours {
            id: "res_nb_01JD3C00000000000000000000".parse().unwrap(),
            unit: "unt_nb_01JD3C00000000000000000000".parse().unwrap(),
            kind,
            name: "web".into(),
            cloud_name: None,
            external_id: "s".into(),
            address: Some("10.0.1.4".into()),
            attached: false,
            target: None,
            rules: Vec::new(),
            answers: serde_json::from_value(
                serde_json::json!({ "vcpus": 4, "memory_gb": 8, "size_gb": 100, "disk_class": "ssd" }),
            )
            .unwrap(),
            month: Money::from_fen(34_800),
            service: ServiceState::Running,
            delivered_at: Timestamp::from_millis(1),
            version: 1,
            busy: false,
        }
    }

    fn server(power: Power) -> Server {
        Server {
            id: "s".into(),
            spec: ServerSpec {
                project: "p".into(),
                pool: "gov".into(),
                network: "n".into(),
                name: "web".into(),
                vcpus: 4,
                memory_gb: 8,
                system_disk_gb: 40,
                image: "kylin-v10".into(),
                flavour: None,
                security_preset: None,
                access: Access::OneTimePassword,
                user_data: None,
                metadata: Default::default(),
            },
            power,
            host: None,
            stands: None,
            private_address: "10.0.1.4".parse().unwrap(),
            one_time_password: None,
            installed_by: None,
            created_at: Timestamp::from_millis(1),
            operation: "o".into(),
        }
    }

    fn volume(on: Option<&str>) -> Object {
        Object::Volume(Volume {
            id: "v".into(),
            spec: VolumeSpec {
                project: "p".into(),
                pool: "gov".into(),
                name: "web".into(),
                size_gb: 100,
                volume_type: Some("ssd".into()),
            },
            state: VolumeState::Ready,
            attached_to: on.map(Into::into),
            operation: "o".into(),
        })
    }

    fn differing(verdict: Verdict) -> Vec<(Aspect, Option<String>, Option<String>)> {
        let said = match verdict {
            Verdict::Differs(said) => said,
            other => panic!("{other:?}"),
        };
        said.into_iter()
            .filter(Said::differs)
            .map(|one| (one.aspect, one.ours, one.cloud))
            .collect()
    }

    #[test]
    fn power_size_name_and_address_of_a_server_are_compared() {
        let text = |text: &str| Some(text.to_owned());
        let own = ours(Fulfiller::Server);
        let same = compare(&own, &Object::Server(server(Power::Active)), None);
        assert_eq!(same, Verdict::Agrees);
        let off = compare(&own, &Object::Server(server(Power::Stopped)), None);
        let expected = (Aspect::Power, text("running"), text("stopped"));
        assert_eq!(differing(off), [expected]);
        let mut other = server(Power::Active);
        other.spec.vcpus = 8;
        other.spec.name = "db".into();
        other.private_address = std::net::Ipv4Addr::UNSPECIFIED;
        assert_eq!(
            differing(compare(&own, &Object::Server(other), None)),
            [
                (Aspect::Vcpus, text("4"), text("8")),
                (Aspect::Name, text("web"), text("db"))
            ]
        );
    }

    #[test]
    fn what_comes_in_is_compared_as_a_set_where_the_cloud_tells_it() {
        let mut own = ours(Fulfiller::Server);
        let there = Object::Server(server(Power::Active));
        let [pages, ssh] = ["tcp 443 10.8.0.0/24", "tcp 22 0.0.0.0/0"];
        let text = |text: &str| Some(text.to_owned());
        let let_in = |rules: &[&str], others: &[&str]| LetIn {
            rules: rules.iter().map(|one| one.parse().unwrap()).collect(),
            others: others.iter().map(|&one| one.to_owned()).collect(),
        };
        // Nothing on both sides is nothing to say.
        assert_eq!(
            compare(&own, &there, Some(&LetIn::default())),
            Verdict::Agrees
        );
        let door = differing(compare(&own, &there, Some(&let_in(&[ssh], &[]))));
        assert_eq!(door, [(Aspect::Rules, None, text(ssh))]);
        own.rules = vec![pages.parse().unwrap(), ssh.parse().unwrap()];
        let both = let_in(&[ssh, pages, ssh], &[]);
        assert_eq!(compare(&own, &there, Some(&both)), Verdict::Agrees);
        assert!(!lets_in_otherwise(&own, &both));
        // Where nobody tells, nothing is known.
        assert_eq!(compare(&own, &there, None), Verdict::Agrees);
        let ours = format!("{ssh}; {pages}");
        let gone = differing(compare(&own, &there, Some(&LetIn::default())));
        assert_eq!(gone, [(Aspect::Rules, text(&ours), None)]);
        let strange = let_in(&[ssh, pages], &["IPv6 tcp 22-22 ::/0"]);
        let cloud = format!("{ours}; IPv6 tcp 22-22 ::/0");
        let strange = differing(compare(&own, &there, Some(&strange)));
        assert_eq!(strange, [(Aspect::Rules, text(&ours), text(&cloud))]);
        // Between two states nothing is called different, and of a disk nothing of the kind is asked.
        let moving = compare(
            &own,
            &Object::Server(server(Power::Changing)),
            Some(&LetIn::default()),
        );
        assert!(matches!(moving, Verdict::Moving(_)), "{moving:?}");
    }

    #[test]
    fn a_host_in_the_bin_is_switched_off_and_differs_when_it_runs() {
        let mut own = ours(Fulfiller::Server);
        own.service = ServiceState::Recycled;
        let off = compare(&own, &Object::Server(server(Power::Stopped)), None);
        assert_eq!(off, Verdict::Agrees);
        let on = differing(compare(&own, &Object::Server(server(Power::Active)), None));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(on, [(Aspect::Power, text("stopped"), text("running"))]);
    }

    #[test]
    fn a_thing_that_has_another_name_in_the_cloud_is_compared_by_that() {
        let mut own = ours(Fulfiller::Server);
        let mut there = server(Power::Active);
        there.spec.name = "Web Server 01".into();
        own.cloud_name = Some("Web Server 01".into());
        let same = compare(&own, &Object::Server(there.clone()), None);
        assert_eq!(same, Verdict::Agrees);
        there.spec.name = "web".into();
        assert_eq!(
            differing(compare(&own, &Object::Server(there), None)).len(),
            1
        );
    }

    #[test]
    fn what_is_between_two_states_is_not_called_different() {
        let own = ours(Fulfiller::Server);
        for power in [Power::Building, Power::Changing] {
            let verdict = compare(&own, &Object::Server(server(power)), None);
            assert!(matches!(verdict, Verdict::Moving(_)), "{verdict:?}");
        }
        let verdict = compare(&own, &Object::Server(server(Power::Error)), None);
        assert!(matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
    }

    #[test]
    fn a_disk_attached_elsewhere_or_nowhere_differs() {
        let mut own = ours(Fulfiller::Volume);
        assert_eq!(compare(&own, &volume(None), None), Verdict::Agrees);
        assert_eq!(differing(compare(&own, &volume(Some("x")), None)).len(), 1);
        own.attached = true;
        // Its host has no name in the cloud: nothing to compare with.
        assert_eq!(compare(&own, &volume(Some("x")), None), Verdict::Agrees);
        own.target = Some(("s1".into(), "web-1".into()));
        assert_eq!(compare(&own, &volume(Some("s1")), None), Verdict::Agrees);
        let found = differing(compare(&own, &volume(None), None));
        assert_eq!(found, [(Aspect::Target, Some("web-1".into()), None)]);
    }

    #[test]
    fn a_disk_in_an_error_or_of_another_class_does_not_agree() {
        let own = ours(Fulfiller::Volume);
        let with = |change: &dyn Fn(&mut Volume)| {
            let mut it = volume(None).into_volume().unwrap();
            change(&mut it);
            compare(&own, &Object::Volume(it), None)
        };
        let broken = with(&|it: &mut Volume| it.state = VolumeState::Error);
        assert!(matches!(broken, Verdict::Broken(_)), "{broken:?}");
        let moving = with(&|it: &mut Volume| it.state = VolumeState::Changing);
        assert!(matches!(moving, Verdict::Moving(_)), "{moving:?}");
        let text = |text: &str| Some(text.to_owned());
        let other = differing(with(&|it: &mut Volume| {
            it.spec.volume_type = Some("sata".into());
        }));
        assert_eq!(other, [(Aspect::Class, text("ssd"), text("sata"))]);
        // A cloud that tells none says nothing.
        assert_eq!(
            with(&|it: &mut Volume| it.spec.volume_type = None),
            Verdict::Agrees
        );
    }

    #[test]
    fn an_address_that_leads_elsewhere_differs() {
        let mut own = ours(Fulfiller::Address);
        (own.attached, own.target) = (true, Some(("s1".into(), "web-1".into())));
        let object = |on: &str| {
            Object::Address(Address {
                id: "a".into(),
                spec: AddressSpec {
                    project: "p".into(),
                    pool: "gov".into(),
                    bandwidth_mbps: 2,
                },
                address: "10.0.1.4".parse().unwrap(),
                associated_with: Some(on.into()),
                operation: "o".into(),
            })
        };
        assert_eq!(compare(&own, &object("s1"), None), Verdict::Agrees);
        assert_eq!(differing(compare(&own, &object("s2"), None)).len(), 1);
    }

    #[test]
    fn a_backup_plan_that_runs_otherwise_differs() {
        let mut own = ours(Fulfiller::Backup);
        own.target = Some(("s1".into(), "web-1".into()));
        own.attached = true;
        let answers = serde_json::json!({ "schedule": "weekly", "keep_days": 30 });
        own.answers = serde_json::from_value(answers).unwrap();
        let there = |every_hours, keep_days| {
            let plan = Object::BackupPlan(BackupPlan {
                id: "b".into(),
                spec: BackupPlanSpec {
                    project: "p".into(),
                    target: "s1".into(),
                    every_hours,
                    keep_days,
                },
                operation: "o".into(),
            });
            compare(&own, &plan, None)
        };
        assert_eq!(there(168, 30), Verdict::Agrees);
        let text = |text: &str| Some(text.to_owned());
        let daily = differing(there(24, 7));
        assert_eq!(daily, [(Aspect::Schedule, text("168/30"), text("24/7"))]);
    }

    #[test]
    fn of_what_is_missing_only_we_speak_and_of_what_is_foreign_only_the_cloud() {
        let alone = missing(&ours(Fulfiller::Server));
        assert_eq!(alone.len(), 5);
        assert!(alone.iter().all(|s| s.ours.is_some() && s.cloud.is_none()));
        let alone = foreign(&Object::Server(server(Power::Active)));
        assert_eq!(alone.len(), 5);
        assert!(alone.iter().all(|s| s.ours.is_none() && s.cloud.is_some()));
    }
}
