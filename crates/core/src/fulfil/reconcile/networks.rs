//! Private networks in a round. Nothing but that they are whole is compared: a lost subnet or router
//! takes the unit's hosts off the air, or keeps new ones from being built.

use lingbao_backends::provisioning::{LackingNetwork, Provisioner};
use lingbao_model::{
    money::Money,
    view::difference::{Aspect, DifferenceKind, Said, ThingKind},
};

use super::round::{Case, Desk, Stop};
use crate::storage::difference::{self, About, Found, OurNetwork};

/// What the next round finds again is shown: a network may have been mended by an order at this moment.
const PASSING_MS: i64 = 60_000;
/// What a network is made of.
const SUBNET: &str = "subnet";
const ROUTER: &str = "router";

/// Our networks of which a part is lost.
pub(super) async fn lacking(
    desk: &Desk<'_>,
    backend: &str,
    cloud: &dyn Provisioner,
    cases: &mut Vec<Case>,
) -> Result<(), Stop> {
    let lacking = cloud.lacking_networks().await?;
    if lacking.is_empty() {
        return Ok(());
    }
    let mut rx = desk.app().db.read().await?;
    let ids = lacking.iter().map(|one| one.network.id.as_str());
    let ours = difference::networks(&mut rx, backend, ids).await?;
    drop(rx);
    for one in &lacking {
        if let Some(ours) = ours.get(one.network.id.as_str()) {
            cases.push(missing(one, ours));
        }
    }
    Ok(())
}

/// What stands of it.
fn parts(subnet: bool, router: bool) -> Option<String> {
    let all = [(subnet, SUBNET), (router, ROUTER)];
    let there: Vec<&str> = all
        .iter()
        .filter_map(|(stands, part)| stands.then_some(*part))
        .collect();
    (!there.is_empty()).then(|| there.join(", "))
}

fn missing(lacking: &LackingNetwork, ours: &OurNetwork) -> Case {
    Case {
        version: None,
        snapshot: None,
        sweep: false,
        found: Found {
            kind: DifferenceKind::Missing,
            thing: ThingKind::Network,
            external_id: lacking.network.id.to_string(),
            resource: None,
            name: format!("{} {}", ours.unit_name, ours.name),
            operation: String::new(),
            said: vec![Said {
                aspect: Aspect::Parts,
                ours: parts(true, true),
                cloud: parts(lacking.subnet, lacking.router),
            }],
            about: About {
                project: lacking.network.spec.project.to_string(),
                ..About::default()
            },
            month: Money::ZERO,
            patience_ms: PASSING_MS,
        },
    }
}
