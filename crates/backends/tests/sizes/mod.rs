//! The flavours of a cloud, which shows few of them at once.
use super::*;

/// What there is, if it is not one alone.
const FLAVOURS: &str = "flavours";
/// Set, Nova does not know any more where the last page ended.
const CHANGED: &str = "flavours changed";
const PAGE: usize = 2;

fn flavour(id: &str, vcpus: u32) -> Value {
    json!({ "id": id, "name": id, "vcpus": vcpus, "ram": 2_048, "disk": 0 })
}

/// A page of flavours.
pub fn page(stand: &BTreeMap<String, Vec<Value>>, query: &str) -> Response {
    let one = || vec![flavour("f1", 1)];
    let all = stand.get(FLAVOURS).cloned().unwrap_or_else(one);
    let marker = query.split('&').find_map(|one| one.strip_prefix("marker="));
    if marker.is_some() && stand.contains_key(CHANGED) {
        let said = json!({ "badRequest": { "code": 400, "message": "marker not found" } });
        return (StatusCode::BAD_REQUEST, said.to_string()).into_response();
    }
    let ended = |marker: &str| all.iter().position(|it| it["id"] == marker).unwrap() + 1;
    let from = marker.map_or(0, ended);
    let shown: Vec<Value> = all.iter().skip(from).take(PAGE).cloned().collect();
    let mut said = json!({ "flavors": shown });
    if shown.len() == PAGE {
        // Whether or not another one follows.
        said["flavors_links"] = json!([{ "rel": "next", "href": "" }]);
    }
    fine(&said)
}

async fn with_flavours(count: u32) -> (Vec<OpenStack>, Stand) {
    let (clouds, stand) = world(1).await;
    // The last one alone has the size that is ordered.
    let of = |n: u32| flavour(&format!("f{n}"), 1 + count - n);
    let all = (1..=count).map(of).collect();
    {
        let mut stand = stand.lock().unwrap();
        stand.insert(FLAVOURS.into(), all);
        let network = private_network("p1");
        stand.get_mut("networks").unwrap().push(network);
    }
    (clouds, stand)
}

#[tokio::test]
async fn a_flavour_beyond_the_first_page_is_found() {
    for count in [4, 5] {
        let (clouds, stand) = with_flavours(count).await;
        let made = order(&clouds[0], "p1", "level2").await;
        assert!(matches!(made, Outcome::Running { .. }), "{count}: {made:?}");
        let last = format!("f{count}");
        assert_eq!(stand.lock().unwrap()["servers"][0]["flavorRef"], last);
    }
}

#[tokio::test]
async fn flavours_that_change_while_they_are_read_are_read_again() {
    let (clouds, stand) = with_flavours(5).await;
    stand.lock().unwrap().insert(CHANGED.into(), Vec::new());
    let made = order(&clouds[0], "p1", "level2").await;
    assert!(matches!(made, Outcome::Unreachable(_)), "{made:?}");
    stand.lock().unwrap().remove(CHANGED);
    let made = order(&clouds[0], "p1", "level2").await;
    assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
}

/// Nova as [`with_flavours`] has it, and a pool that names the last flavour for hosts of Kunpeng's.
async fn with_kunpeng() -> (OpenStack, Stand) {
    let (_, stand) = with_flavours(3).await;
    let url = stand.lock().unwrap()["url"][0].as_str().unwrap().to_owned();
    let names = |key: &str, name: &str| BTreeMap::from([(key.to_owned(), name.to_owned())]);
    let cloud = stand::open(
        OpenStackConfig {
            zones: vec![ZoneConfig {
                name: "p".into(),
                flavour_names: names("kunpeng/1x2", "f3"),
                image_names: names("kunpeng/kylin-v10", "kylin"),
                ..ZoneConfig::default()
            }],
            images: names("kylin-v10", "kylin"),
            ..stand::config(&url)
        },
        &stand::now(),
    );
    (cloud, stand)
}

async fn host(cloud: &OpenStack, arch: &str, vcpus: u32) -> Outcome<Server> {
    let spec = ServerSpec {
        vcpus,
        metadata: [(ARCH.to_owned(), arch.to_owned())].into(),
        ..spec("p1", "level2")
    };
    let op = format!("{arch}-{vcpus}");
    cloud.create_server(&op.as_str().into(), spec).await
}

#[tokio::test]
async fn a_host_is_made_of_a_flavour_for_its_architecture_or_not_at_all() {
    let (cloud, stand) = with_kunpeng().await;
    // The one of this size is for other hosts.
    let made = host(&cloud, "general", 1).await;
    assert!(matches!(made, Outcome::Refused(_)), "{made:?}");
    // Of this size there are general hosts only.
    let made = host(&cloud, "kunpeng", 2).await;
    assert!(matches!(made, Outcome::Refused(_)), "{made:?}");
    let made = host(&cloud, "hygon", 2).await;
    assert!(matches!(made, Outcome::Refused(_)), "{made:?}");
    for (number, (arch, vcpus, flavour)) in [("kunpeng", 1, "f3"), ("general", 2, "f2")]
        .into_iter()
        .enumerate()
    {
        let made = host(&cloud, arch, vcpus).await;
        assert!(matches!(made, Outcome::Running { .. }), "{arch}: {made:?}");
        let stand = stand.lock().unwrap();
        assert_eq!(stand["servers"][number]["flavorRef"], flavour, "{arch}");
    }
}

#[tokio::test]
async fn a_pool_tells_of_each_architecture_what_is_made_of_it() {
    let (cloud, _) = with_kunpeng().await;
    let told = cloud.capabilities().await.unwrap().makes;
    let makes = &told[&PoolRef::from("p")];
    let hosts = |arch: &str| makes.hosts[arch].clone();
    assert_eq!(makes.hosts.len(), 2);
    assert_eq!(hosts("general").sizes, Some(vec![(2, 2), (3, 2)]));
    assert_eq!(hosts("kunpeng").sizes, Some(vec![(1, 2)]));
    for arch in ["general", "kunpeng"] {
        assert_eq!(hosts(arch).images, ["kylin-v10"]);
    }
    // Cinder has no type at all.
    assert_eq!(makes.disk_classes, Some(Vec::new()));
}
