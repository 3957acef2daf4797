//! What the systems of a demo city order: varied, but not by chance.

use lingbao_model::placement::Level;

/// A line to be ordered: item, name, pieces, answers, index of the line it attaches to.
pub struct Want {
    pub item: &'static str,
    pub name: String,
    pub count: i64,
    pub typed: Vec<(&'static str, String)>,
    pub attach: Option<usize>,
}

/// One order.
pub struct Order {
    pub title: String,
    pub reason: &'static str,
    pub cell: (Level, &'static str),
    pub wants: Vec<Want>,
}

/// What system `k` of the city ordered. Sizes vary, but not by chance: five hosts each.
pub fn order_of(k: usize, name: &str, short: &str, level: Level, more: usize) -> Order {
    let (vcpus, memory_gb) = [(4, 8), (8, 16), (4, 16), (8, 32), (4, 8)]
        .get(k % 5)
        .copied()
        .unwrap_or((4, 8));
    let pool = match (level, k % 4) {
        (Level::Three, _) if k % 8 == 7 => "core-xinchuang",
        (Level::Three, _) => "public-xinchuang",
        (Level::Two, 1) => "internet-general",
        (Level::Two, _) => "public-general",
    };
    let arch = if pool.ends_with("xinchuang") {
        "kunpeng"
    } else {
        "general"
    };
    let host = |name: String, count: usize, vcpus: i64, memory_gb: i64| Want {
        item: "C-ECS",
        name,
        count: i64::try_from(count).unwrap_or(1),
        typed: vec![
            ("arch", arch.to_owned()),
            ("vcpus", vcpus.to_string()),
            ("memory_gb", memory_gb.to_string()),
            ("image", "kylin-v10".to_owned()),
            ("system_disk_gb", "40".to_owned()),
            ("access", "password".to_owned()),
        ],
        attach: None,
    };
    let mut wants = vec![
        host(format!("{short}-app"), 3 + more, vcpus, memory_gb),
        host(format!("{short}-db"), 2, 8, 32),
    ];
    let disk = [
        ("disk_class", "ssd".to_owned()),
        ("size_gb", (200 + 100 * (k % 4)).to_string()),
    ];
    wants.push(Want {
        item: "S-EVS",
        name: format!("{short}-data"),
        count: 2,
        typed: disk.into(),
        attach: Some(1),
    });
    if pool == "internet-general" {
        let typed = [
            ("carrier", "three_line".to_owned()),
            ("bandwidth_mbps", "10".to_owned()),
        ]
        .into();
        wants.push(Want {
            item: "N-EIP",
            name: format!("{short}-ip"),
            count: i64::try_from(3 + more).unwrap_or(3),
            typed,
            attach: Some(0),
        });
    }
    if k.is_multiple_of(3) {
        let typed = [
            ("size_gb", "500".to_owned()),
            ("schedule", "daily".to_owned()),
            ("keep_days", "30".to_owned()),
        ]
        .into();
        wants.push(Want {
            item: "D-LB",
            name: format!("{short}-bak"),
            count: 2,
            typed,
            attach: Some(1),
        });
    }
    Order {
        title: format!("{name}上云"),
        reason: "系统迁入政务云，停用自建机房。",
        cell: (level, pool),
        wants,
    }
}
