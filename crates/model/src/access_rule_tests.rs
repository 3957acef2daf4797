//! Rules of what may come in to a host.

use super::*;

const OPEN: Ground = Ground {
    level: Level::Two,
    internet: true,
};

fn rule(protocol: Protocol, ports: &str, source: &str) -> AccessRule {
    AccessRule {
        protocol,
        ports: ports.parse().ok(),
        source: source.parse().unwrap(),
    }
}

fn said(result: Result<(), FieldError>) -> String {
    result.map_or_else(|e| format!("{}:{}", e.field, e.msg.key), |()| "ok".into())
}

#[test]
fn a_network_is_written_in_one_way_alone() {
    for (typed, read) in [
        ("10.8.0.0/24", "10.8.0.0/24"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("255.255.255.255/32", "255.255.255.255/32"),
    ] {
        assert_eq!(typed.parse::<Cidr>().unwrap().to_string(), read);
    }
    for (typed, network) in [("10.1.2.3/8", "10.0.0.0/8"), ("1.2.3.4/0", "0.0.0.0/0")] {
        let inside = NoCidr::Inside(network.parse().unwrap());
        assert_eq!(typed.parse::<Cidr>(), Err(inside));
    }
    for typed in [
        "",
        "/",
        "10",
        "10.0.0/8",
        "10.0.0.0.0/8",
        "10.0.0.256",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/008",
        "010.0.0.0/8",
        "a.b.c.d",
        "fd00::/8",
        "-1.0.0.0",
        "10.0.0.0/8/8",
        "1..2.3",
    ] {
        assert_eq!(typed.parse::<Cidr>(), Err(NoCidr::Unreadable), "{typed}");
    }
}

#[test]
fn ports_are_read_as_people_type_them_and_written_in_one_way() {
    for (typed, read) in [
        ("443", "443"),
        (" 8000 - 8100 ", "8000-8100"),
        ("８０００～８１００", "8000-8100"),
        ("1-65535", "1-65535"),
        ("80-80", "80"),
    ] {
        assert_eq!(typed.parse::<PortRange>().unwrap().to_string(), read);
    }
    for typed in [
        "",
        "0",
        "65536",
        "8100-8000",
        "0-10",
        "80,443",
        "-",
        "1-",
        "http",
    ] {
        assert!(typed.parse::<PortRange>().is_err(), "{typed}");
    }
}

#[test]
fn a_form_names_each_field_that_makes_no_sense() {
    let form = AccessRuleForm {
        protocol: "gre".into(),
        ports: "0".into(),
        source: "10.1.2.3/8".into(),
        note: "长".repeat(61),
    };
    let fields: Vec<String> = form
        .read()
        .unwrap_err()
        .into_iter()
        .map(|e| e.field)
        .collect();
    assert_eq!(fields, ["protocol", "source", "note"]);
    let form = AccessRuleForm {
        protocol: "TCP".into(),
        ..form
    };
    let fields: Vec<String> = form
        .read()
        .unwrap_err()
        .into_iter()
        .map(|e| e.field)
        .collect();
    assert_eq!(fields, ["ports", "source", "note"]);
    let form = AccessRuleForm {
        protocol: "icmp".into(),
        ports: "8".into(),
        source: " １０.8.0.0／24 ".into(),
        note: " 监控 ".into(),
    };
    assert_eq!(form.read().unwrap_err()[0].field, "ports");
    let form = AccessRuleForm {
        ports: String::new(),
        ..form
    };
    let (read, note) = form.read().unwrap();
    assert_eq!(read, rule(Protocol::Icmp, "", "10.8.0.0/24"));
    assert_eq!(note, "监控");
}

#[test]
fn what_rules_a_machine_or_its_data_is_never_opened_to_the_outside() {
    for (port, _) in GUARDED {
        for source in ["0.0.0.0/0", "128.0.0.0/1", "8.8.8.8", "203.0.113.0/24"] {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let one = rule(protocol, &port.to_string(), source);
                assert_eq!(said(judge(&one, OPEN)), "source:access_rule.guarded");
            }
        }
        for source in ["10.8.0.0/24", "59.200.1.0/24", "192.168.0.0/16"] {
            let one = rule(Protocol::Tcp, &port.to_string(), source);
            assert_eq!(said(judge(&one, OPEN)), "ok", "{port} {source}");
        }
    }
    // Hidden in a range.
    let range = rule(Protocol::Tcp, "3000-4000", "0.0.0.0/0");
    assert_eq!(said(judge(&range, OPEN)), "source:access_rule.guarded");
}

#[test]
fn to_everybody_level_three_shows_https_alone_and_a_zone_without_the_internet_nothing() {
    let three = Ground {
        level: Level::Three,
        ..OPEN
    };
    let https = rule(Protocol::Tcp, "443", "0.0.0.0/0");
    assert_eq!(said(judge(&https, three)), "ok");
    for other in [
        rule(Protocol::Tcp, "80", "0.0.0.0/0"),
        rule(Protocol::Tcp, "443-444", "0.0.0.0/0"),
        rule(Protocol::Udp, "443", "0.0.0.0/0"),
        rule(Protocol::Icmp, "", "0.0.0.0/0"),
        // Nobody comes round it by halves.
        rule(Protocol::Tcp, "8080", "0.0.0.0/1"),
        rule(Protocol::Tcp, "8080", "203.0.112.0/23"),
    ] {
        assert_eq!(said(judge(&other, three)), "source:access_rule.level_three");
        assert_eq!(said(judge(&other, OPEN)), "ok", "{other:?}");
    }
    let partner = rule(Protocol::Tcp, "8080", "203.0.113.0/24");
    assert_eq!(said(judge(&partner, three)), "ok");
    let closed = Ground {
        internet: false,
        ..OPEN
    };
    assert_eq!(
        said(judge(&https, closed)),
        "source:access_rule.no_internet"
    );
    assert_eq!(said(judge(&partner, closed)), "ok");
}

#[test]
fn nobody_sends_from_where_nobody_is_and_no_rule_stands_twice() {
    for source in [
        "127.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.0/4",
    ] {
        let one = rule(Protocol::Tcp, "8080", source);
        assert_eq!(said(judge(&one, OPEN)), "source:access_rule.nobody");
    }
    let one = rule(Protocol::Tcp, "8080", "10.0.0.0/8");
    let other = rule(Protocol::Udp, "8080", "10.0.0.0/8");
    assert_eq!(
        said(may_add(&[one], &one, OPEN)),
        "source:access_rule.twice"
    );
    assert_eq!(said(may_add(&[one], &other, OPEN)), "ok");
}

#[test]
fn what_a_preset_opens_the_law_allows() {
    for level in Level::ALL {
        for internet in [false, true] {
            let name = preset_name(*level, internet);
            let ground = Ground {
                level: *level,
                internet,
            };
            for opening in preset(&name).unwrap() {
                let (Some(protocol), Some(source)) = (opening.protocol, opening.source) else {
                    // Hosts of one preset among themselves.
                    assert_eq!(opening.source, None);
                    continue;
                };
                let one = AccessRule {
                    protocol,
                    ports: opening.ports,
                    source,
                };
                assert_eq!(said(judge(&one, ground)), "ok", "{name} {one:?}");
            }
        }
    }
    assert_eq!(preset("level4"), None);
}

#[test]
fn rules_are_one_text_in_one_order_and_read_back_one_by_one() {
    let pages = rule(Protocol::Tcp, "8000-8100", "10.8.0.0/24");
    let ping = rule(Protocol::Icmp, "", "10.8.0.0/16");
    let other = "IPv6 tcp 22; ::/0".to_owned();
    let text = text_of(&[ping, pages, ping], &[other]);
    assert_eq!(
        text,
        "tcp 8000-8100 10.8.0.0/24; icmp 10.8.0.0/16; IPv6 tcp 22, ::/0"
    );
    assert_eq!(text_of(&[pages, ping], &[]), text_of(&[ping, pages], &[]));
    let read: Vec<Option<AccessRule>> = each_of(&text).map(|one| one.parse().ok()).collect();
    assert_eq!(read, [Some(pages), Some(ping), None]);
    assert_eq!(each_of("").count(), 0);
    for wrong in [
        "",
        "tcp",
        "tcp 10.8.0.0/24",
        "icmp 8 10.8.0.0/24",
        "gre 10.8.0.0/24",
    ] {
        assert!(wrong.parse::<AccessRule>().is_err(), "{wrong}");
    }
}

#[test]
fn a_rule_reads_back_from_what_is_stored() {
    let one = rule(Protocol::Tcp, "8000-8100", "10.8.0.0/24");
    let text = serde_json::to_string(&one).unwrap();
    assert_eq!(
        text,
        r#"{"protocol":"tcp","ports":{"from":8000,"to":8100},"source":"10.8.0.0/24"}"#
    );
    assert_eq!(serde_json::from_str::<AccessRule>(&text).unwrap(), one);
    let inside = text.replace("10.8.0.0", "10.8.0.1");
    assert!(serde_json::from_str::<AccessRule>(&inside).is_err());
}
