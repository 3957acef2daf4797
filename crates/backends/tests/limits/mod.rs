//! Limits of projects, and the rules that count against them.
use super::*;

/// Neutron's limit of rules of a project, unless another is set.
const RULES: i64 = 100;

/// Keeps limits as they are set.
pub fn keep(
    stand: &mut BTreeMap<String, Vec<Value>>,
    method: &Method,
    path: &str,
    body: &Value,
) -> Response {
    let kept = stand.entry(path.to_owned()).or_default();
    if method == Method::PUT {
        *kept = vec![body.clone()];
    }
    fine(&kept[0])
}

/// Makes rules as Neutron does: whoever asks pays, unless the rule says whose it is.
pub fn make_rules(stand: &mut BTreeMap<String, Vec<Value>>, asked: &[Value]) -> Response {
    let mut there = stand
        .get("security-group-rules")
        .cloned()
        .unwrap_or_default();
    for rule in asked {
        let mut rule = rule.clone();
        if rule["project_id"].is_null() {
            rule["project_id"] = json!(PORTAL);
        }
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        rule["id"] = json!(format!("rule{number}"));
        there.push(rule.clone());
        let whose = &rule["project_id"];
        let counted = there.iter().filter(|it| it["project_id"] == *whose).count();
        let quotas = format!("/network/v2.0/quotas/{}", whose.as_str().unwrap());
        let set = stand.get(&quotas).map(|kept| kept[0]["quota"].clone());
        let limit = set.unwrap_or_default()["security_group_rule"].as_i64();
        let limit = limit.unwrap_or(RULES);
        if limit >= 0 && i64::try_from(counted).unwrap() > limit {
            return refused(StatusCode::CONFLICT, "OverQuota");
        }
    }
    stand.insert("security-group-rules".into(), there);
    fine(&json!({ "security_group_rules": asked }))
}
