//! A new disk out of a backup: by program and by page, through the router.
use lingbao_backends::provisioning::{BackedUp, BackupSpec, Kind, Object, OperationId, Outcome};
use lingbao_core::storage::backup;
use lingbao_model::{
    id::{BackupId, ResourceId},
    people::Role,
};
use serde_json::{Value, json};

use crate::day_two::{Town, post};

/// A backup of the town's disk, as a plan would have made it.
async fn backed_up(town: &Town) -> BackupId {
    let app = &town.portal.app;
    let cloud = app.app.backends.get("simulator").unwrap();
    let all = cloud.list(None, None).await.unwrap().objects;
    let disk = all.into_iter().find(|it| it.kind() == Kind::Volume);
    let Some(Object::Volume(disk)) = disk else {
        panic!("a volume")
    };
    let id: BackupId = app.id();
    let spec = BackupSpec {
        project: disk.spec.project.clone(),
        of: BackedUp::Volume(disk.id.clone()),
        name: "data".into(),
    };
    let op = OperationId(id.to_string());
    let Outcome::Done(made) = cloud.create_backup(&op, spec).await else {
        panic!("a backup")
    };
    let of: ResourceId = town.disk.parse().unwrap();
    let mut tx = app.app.db.begin().await.unwrap();
    let now = app.app.clock.now();
    backup::insert(&mut tx, &id, &of, (&of, disk.id.as_str()), now)
        .await
        .unwrap();
    let size_gb = i64::from(made.size_gb);
    backup::made(&mut tx, &id, made.id.as_str(), size_gb)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_backup_is_restored_by_program_and_by_page() {
    let town = Town::start().await;
    let backup = backed_up(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    let disk = clerk.get(&format!("/resources/{}", town.disk)).await;
    let page = format!("/resources/{}/backups/{backup}", town.disk);
    assert!(disk.text.contains(&format!("href=\"{page}\"")));

    let path = town.path(&format!("/backups/{backup}/restore"));
    let view = clerk.get(&path).await.json();
    assert_eq!(
        (&view["blocks"], &view["size_gb"]),
        (&json!([]), &json!(20))
    );
    assert_eq!(view["backup"]["id"], backup.to_string());
    let order = json!({ "name": "by-program", "month": view["quote"]["each"] });
    let made = post(&clerk, &path, &order).await;
    assert_eq!(made.status, 202, "{}", made.text);
    town.run().await;
    let new = made.json()["resource"].as_str().unwrap().to_owned();
    let new = clerk.get(&format!("/api/v1/resources/{new}")).await.json();
    assert_eq!(new["row"]["name"], "by-program");
    assert_eq!(new["made_from"]["id"], town.disk);

    let shown = clerk.get(&page).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains("20 GB") && shown.text.contains("用备份恢复云硬盘"));
    let month = view["quote"]["each"].to_string();
    let nameless = [("name", ""), ("month", month.as_str())];
    assert_eq!(clerk.post(&page, &nameless).await.status, 422);
    let typed = [
        ("name", "by-page"),
        ("month", month.as_str()),
        ("form_id", "one-form-of-many"),
    ];
    for _ in 0..2 {
        let sent = clerk.post(&page, &typed).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        town.run().await;
    }
    let volumes = clerk.get("/api/v1/resources?kind=volume").await.json();
    assert_eq!(volumes["rows"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_backup_to_whose_disk_somebody_must_agree_is_asked_for() {
    let town = Town::start().await;
    town.portal.account("chief", &[Role::DeptLeader]).await;
    let backup = backed_up(&town).await;
    town.price("70000000", "7000000000").await;
    let clerk = town.portal.sign_in("clerk").await;
    let path = town.path(&format!("/backups/{backup}/restore"));
    let view = clerk.get(&path).await.json();
    let month = &view["quote"]["each"];
    let order = json!({ "name": "copy", "month": month });
    let refused = post(&clerk, &path, &order).await;
    assert_eq!(
        (refused.status, refused.json()["key"].as_str()),
        (409, Some("resource.restore_needs_consent"))
    );
    let page = format!("/resources/{}/backups/{backup}", town.disk);
    let month = month.to_string();
    let typed = [
        ("asks", "yes"),
        ("name", "copy"),
        ("month", month.as_str()),
        ("reason", "误删数据找回"),
        ("form_id", "one-form-of-many"),
    ];
    let sent = clerk.post(&page, &typed).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let request = clerk.get(sent.header("location")).await;
    assert!(
        request.text.contains("用备份新建云硬盘"),
        "{}",
        request.text
    );
    let chief = town.portal.sign_in("chief").await;
    let todos = chief.get("/api/v1/todos").await.json();
    let step = todos["rows"][0]["step"].as_str().unwrap();
    let card = chief.get(&format!("/todo/{step}")).await;
    assert!(card.text.contains("copy") && card.text.contains("备份"));
}

#[tokio::test]
async fn the_backup_of_another_disk_an_unknown_and_a_malformed_one_are_one_404() {
    let town = Town::start().await;
    let backup = backed_up(&town).await.to_string();
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    town.portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let (clerk, other) = (
        town.portal.sign_in("clerk").await,
        town.portal.sign_in("other").await,
    );
    let mut unknown = backup.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    let order: Value = json!({ "name": "x", "month": 1 });
    let typed = [("name", "x"), ("month", "1")];
    for (who, of, id) in [
        (&other, &town.disk, backup.as_str()),
        (&clerk, &town.host, &backup),
        (&clerk, &town.disk, &unknown),
        (&clerk, &town.disk, "x"),
    ] {
        let path = format!("/api/v1/resources/{of}/backups/{id}/restore");
        assert_eq!(who.get(&path).await.status, 404, "{of} {id}");
        assert_eq!(post(who, &path, &order).await.status, 404, "{of} {id}");
        let page = format!("/resources/{of}/backups/{id}");
        assert_eq!(who.get(&page).await.status, 404, "{of} {id}");
        assert_eq!(who.post(&page, &typed).await.status, 404, "{of} {id}");
    }
}
