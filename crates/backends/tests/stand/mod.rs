//! How the portal reaches a small stand-in for a cloud.
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use lingbao_backends::{
    Clock,
    provisioning::{
        Secret,
        openstack::{Credential, OpenStack, OpenStackConfig},
    },
};
use lingbao_model::time::Timestamp;

/// The portal's own project.
pub const PORTAL: &str = "own";

/// Settings for the stand-in at this address; nothing in it has a name.
pub fn config(url: &str) -> OpenStackConfig {
    OpenStackConfig {
        auth_url: format!("{url}/v3"),
        region: None,
        interface: "public".into(),
        ca_pem: None,
        credential: Credential::Password {
            user: "lingbao".into(),
            user_domain: "default".into(),
            password: Secret("x".into()),
            project: PORTAL.into(),
            project_domain: "default".into(),
        },
        domain: "default".into(),
        role: "member".into(),
        password_secret: None,
        timeout_ms: 5_000,
        connect_timeout_ms: 500,
        settle_ms: 10_000,
        poll_ms: 1_000,
        build_minutes: 10,
        stall_minutes: 3,
        external_network: None,
        outbound: false,
        dns_servers: Vec::new(),
        zones: Vec::new(),
        images: BTreeMap::new(),
        flavours: BTreeMap::new(),
        make_flavours: false,
        volume_types: BTreeMap::new(),
        presets: BTreeMap::new(),
    }
}

/// A clock to be set forward: half a minute after what stands there from the beginning was made.
pub fn now() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(1_767_225_630_000))
}

/// A cloud of such settings, by such a clock.
pub fn open(config: OpenStackConfig, now: &Arc<AtomicI64>) -> OpenStack {
    let now = now.clone();
    let clock: Arc<dyn Clock> =
        Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
    OpenStack::new("stand", config, clock).unwrap()
}
