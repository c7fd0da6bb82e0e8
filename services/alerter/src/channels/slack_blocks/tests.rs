use serde_json::Value;
use uuid::Uuid;

use super::*;

fn notice(kind: NoticeKind) -> Notice {
    Notice {
        kind,
        alert: Uuid::from_u128(1),
        incident: Uuid::from_u128(2).into(),
        sequence: 1,
        monitor: Uuid::from_u128(3).into(),
        workspace: Uuid::from_u128(4).into(),
        name: "Checkout API".to_owned(),
        target: "https://shop.example.org/health?a=1&b=2".to_owned(),
        cause: Some("status".to_owned()),
        detail: Some("503 Service Unavailable, expected 200–299".to_owned()),
        regions: vec!["eu-west".to_owned(), "us-east".to_owned()],
        since: 1_800_000_000_000,
        until: None,
        acknowledged_by: None,
        note: None,
        slots_unknown: 0,
        earlier_times: 0,
        earlier_ms: 0,
        tells_opening: false,
        doubtful: false,
        created_at: 1_800_000_000_000,
        parent: None,
    }
}

fn recovered() -> Notice {
    Notice { until: Some(1_800_000_200_000), ..notice(NoticeKind::Recovered) }
}

fn blocks() -> Blocks {
    Blocks::new("https://up.example.org/")
}

#[test]
fn a_message_reads_as_it_should() {
    // The metadata is a hash map, whose order differs from run to run.
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    settings.bind(|| {
        insta::assert_json_snapshot!("down", blocks().single(&notice(NoticeKind::Down)));
        insta::assert_json_snapshot!("recovered", blocks().single(&recovered()));
        insta::assert_json_snapshot!("group", blocks().group(&[notice(NoticeKind::Down), recovered()]));
    });
}

#[test]
fn a_title_tells_the_whole_story_in_short() {
    let text = |notice: &Notice| title(notice, HEADER);
    assert_eq!(text(&notice(NoticeKind::Down)), "🔴 Down: Checkout API");
    assert_eq!(text(&recovered()), "🟢 Recovered: Checkout API after 3 min 20 s");
    assert_eq!(text(&Notice { tells_opening: true, ..recovered() }), "🟢 Was down: Checkout API for 3 min 20 s");
    assert_eq!(text(&Notice { note: Some("paused".to_owned()), ..recovered() }), "⚪ Paused: Checkout API");
}

#[test]
fn a_repeat_says_so_in_a_group_too() {
    let body =
        |doubtful| serde_json::to_string(&blocks().group(&[notice(NoticeKind::Down), Notice { doubtful, ..recovered() }])).expect("JSON");
    assert_eq!(body(true).matches("may be a repeat").count(), 1);
    assert_eq!(body(false).matches("may be a repeat").count(), 0);
}

/// Walks a message and checks every limit of Block Kit.
fn check_limits(message: &SlackMessageContent) {
    let value = serde_json::to_value(message).expect("JSON");
    let units = |value: &Value| value.as_str().expect("a text").encode_utf16().count();
    assert!(units(&value["text"]) <= FALLBACK && units(&value["text"]) > 0);
    let attachments = value["attachments"].as_array().expect("attachments");
    let all = [&value["blocks"], &attachments[0]["blocks"]];
    let blocks: Vec<&Value> = all.iter().flat_map(|list| list.as_array().expect("blocks")).collect();
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().expect("a type") {
            "header" => assert!(units(&block["text"]["text"]) <= 150, "{block}"),
            "section" => {
                if !block["text"].is_null() {
                    assert!((1..=3000).contains(&units(&block["text"]["text"])), "{block}");
                }
                if let Some(fields) = block["fields"].as_array() {
                    assert!((1..=10).contains(&fields.len()));
                    assert!(fields.iter().all(|field| units(&field["text"]) <= 2000), "{block}");
                }
            }
            "context" => assert!(block["elements"].as_array().is_some_and(|elements| elements.len() <= 10)),
            other => panic!("an unexpected block: {other}"),
        }
    }
    assert!(value.to_string().encode_utf16().count() < 13_000, "the whole message is too long");
}

#[test]
fn limits_hold_whatever_people_write() {
    for long in ["x".repeat(10_000), "<!channel>".repeat(1000), "😀".repeat(10_000), "&".repeat(10_000)] {
        for kind in [NoticeKind::Down, NoticeKind::Acknowledged, NoticeKind::Recovered] {
            let one = Notice {
                name: long.clone(),
                target: long.clone(),
                cause: Some(long.clone()),
                detail: Some(long.clone()),
                regions: vec![long.clone(); 32],
                acknowledged_by: Some(long.clone()),
                until: Some(1_900_000_000_000),
                tells_opening: true,
                doubtful: true,
                ..notice(kind)
            };
            check_limits(&blocks().single(&one));
            check_limits(&blocks().group(&vec![one; 200]));
        }
    }
}

#[test]
fn nobody_is_mentioned_by_a_name() {
    let name = "<!channel> <@U123> <https://evil.example|click>".to_owned();
    let one = Notice { name: name.clone(), target: name.clone(), detail: Some(name.clone()), ..notice(NoticeKind::Down) };
    for message in [blocks().single(&one), blocks().group(&vec![one; 6])] {
        let text = serde_json::to_string(&message).expect("JSON");
        assert!(!text.contains("<!channel>") && !text.contains("<@U123>") && !text.contains("<https://evil"), "{text}");
        assert!(text.contains("&lt;!channel&gt;"));
    }
}

#[test]
fn the_metadata_names_the_alert_and_the_incident() {
    let value = serde_json::to_value(blocks().single(&notice(NoticeKind::Down))).expect("JSON");
    assert_eq!(value["metadata"]["event_type"], EVENT_TYPE);
    assert_eq!(value["metadata"]["event_payload"]["alerts"], Uuid::from_u128(1).to_string());
}
