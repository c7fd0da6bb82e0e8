//! Golden fixtures: values of every version are decoded for ever, and what we write today is what the
//! newest fixtures hold, byte for byte. A fixture is never edited, only added.

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

use events::{
    AlertKind, ChangeKind, DecodeError, IncidentEvent, MonitorChange, decode_prober, decode_result, encode_prober, encode_result,
};
use model::sight::{BlindReason, ProberStatus, SightState};
use model::{Cause, CheckResult, IncidentId, MonitorId, Outcome, Phases, Region, WorkspaceId};
use uuid::Uuid;

const MONITOR: MonitorId = MonitorId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001));
const SLOT: i64 = 1_772_323_200_123;

fn region() -> Region {
    "eu-west".parse().expect("a region")
}

fn up() -> CheckResult {
    CheckResult {
        monitor: MONITOR,
        region: region(),
        slot: SLOT,
        interval_ms: 60_000,
        outcome: Outcome::Up,
        cause: None,
        detail: None,
        latency_us: Some(23_417),
        phases: Phases {
            resolve_us: Some(812),
            connect_us: Some(3_204),
            tls_us: Some(7_115),
            first_byte_us: Some(11_020),
            transfer_us: Some(1_266),
        },
        status: Some(200),
        certificate_expires_at: Some(1_780_000_000_000),
        attempts: 1,
        started_at: SLOT + 4,
        epoch: 7,
        pinger: "pinger-7f9c".to_owned(),
        revision: 42,
        suspect: false,
    }
}

fn down() -> CheckResult {
    CheckResult {
        outcome: Outcome::Down,
        cause: Some(Cause::Status),
        detail: Some("expected 200\u{2013}299, got 503 \"Service Unavailable\"".to_owned()),
        phases: Phases { connect_us: Some(301), first_byte_us: Some(950), ..Phases::default() },
        latency_us: Some(1_251),
        status: Some(503),
        certificate_expires_at: None,
        attempts: 2,
        suspect: true,
        ..up()
    }
}

fn missed() -> CheckResult {
    CheckResult {
        outcome: Outcome::Missed,
        cause: Some(Cause::NotRun),
        latency_us: None,
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 0,
        started_at: SLOT,
        ..up()
    }
}

/// The bytes without the newline at the end of the file.
fn trimmed(fixture: &[u8]) -> &[u8] {
    fixture.trim_ascii_end()
}

fn decode(fixture: &[u8]) -> Result<CheckResult, DecodeError> {
    decode_result(Some(MONITOR.to_string().as_bytes()), Some(trimmed(fixture)))
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/v1/", $name, ".json"))
    };
}

#[test]
fn results_of_version_1() {
    for (fixture, result) in
        [(&fixture!("result-up")[..], up()), (&fixture!("result-down-suspect")[..], down()), (&fixture!("result-missed")[..], missed())]
    {
        assert_eq!(decode(fixture).expect("readable"), result);
        assert_eq!(String::from_utf8_lossy(&encode_result(&result).expect("JSON")), String::from_utf8_lossy(trimmed(fixture)));
    }
    // What only the required fields say, in another order, with fields we do not know.
    let minimal = decode(fixture!("result-minimal-unknown-fields")).expect("readable");
    assert_eq!(minimal, CheckResult { latency_us: None, phases: Phases::default(), status: None, certificate_expires_at: None, ..up() });
}

#[test]
fn changes_of_version_1() {
    let change = MonitorChange::new(MONITOR, WorkspaceId(Uuid::from_u128(5)), 42, ChangeKind::Updated, "ada@example.com".to_owned(), SLOT);
    let fixture = trimmed(fixture!("change-updated"));
    assert_eq!(MonitorChange::decode(Some(fixture)).expect("readable"), change);
    assert_eq!(String::from_utf8_lossy(&change.encode().expect("JSON")), String::from_utf8_lossy(fixture));
}

#[test]
fn incidents_of_version_1() {
    let incident = IncidentId(Uuid::from_u128(9));
    let opened = IncidentEvent {
        v: IncidentEvent::VERSION,
        id: IncidentEvent::event_id(incident, 1),
        incident,
        monitor: MONITOR,
        workspace: WorkspaceId(Uuid::from_u128(5)),
        kind: AlertKind::Opened,
        sequence: 1,
        slot: SLOT,
        cause: Some(Cause::Timeout),
        regions: vec![region()],
        at: SLOT + 900,
    };
    let resolved = IncidentEvent {
        id: IncidentEvent::event_id(incident, 2),
        kind: AlertKind::Resolved,
        sequence: 2,
        cause: None,
        regions: Vec::new(),
        ..opened.clone()
    };
    for (fixture, event) in [(&fixture!("incident-opened")[..], opened), (&fixture!("incident-resolved")[..], resolved)] {
        let fixture = trimmed(fixture);
        assert_eq!(IncidentEvent::decode(Some(fixture)).expect("readable"), event);
        assert_eq!(String::from_utf8_lossy(&event.encode().expect("JSON")), String::from_utf8_lossy(fixture));
    }
}

#[test]
fn prober_status_of_version_1() {
    let blind = ProberStatus {
        region: region(),
        pinger: "eu-west-7f9c".to_owned(),
        at: SLOT,
        state: SightState::Blind,
        since: 1_772_323_195_000,
        reason: Some(BlindReason::Network),
        slots_unknown: 12,
        shards: 32,
        spool_records: 3,
        spool_bytes: 1_200,
    };
    let read = |fixture: &[u8]| decode_prober(Some(b"eu-west"), Some(trimmed(fixture))).expect("readable");
    assert_eq!(read(fixture!("prober-blind")), blind);
    assert_eq!(String::from_utf8_lossy(&encode_prober(&blind).expect("JSON")), String::from_utf8_lossy(trimmed(fixture!("prober-blind"))));
    let sees =
        ProberStatus { state: SightState::Sees, reason: None, slots_unknown: 0, shards: 0, spool_records: 0, spool_bytes: 0, ..blind };
    assert_eq!(read(fixture!("prober-sees-minimal")), sees);
    let elsewhere = decode_prober(Some(b"us-east"), Some(trimmed(fixture!("prober-blind")))).expect_err("refused");
    assert_eq!(elsewhere.to_string(), "the key is not the region");
}

#[test]
fn what_cannot_be_read_says_why() {
    let key = MONITOR.to_string();
    let read = |key: Option<&str>, value: Option<&[u8]>| decode_result(key.map(str::as_bytes), value).expect_err("unreadable").to_string();
    let value = |result: &CheckResult| encode_result(result).expect("JSON");
    assert_eq!(read(Some(&key), None), "the record has no value");
    assert_eq!(read(Some(&key), Some(br#"{"v":2}"#)), "version 2 is newer than this reader knows");
    assert!(read(Some(&key), Some(b"{\"v\":1,")).starts_with("the value is no JSON of this shape"));
    assert!(read(Some(&key), Some(&vec![b' '; 70_000])).starts_with("the value has 70000 bytes"));
    assert_eq!(read(Some("other"), Some(&value(&up()))), "the key is not the monitor's id");
    assert_eq!(read(None, Some(&value(&up()))), "the key is not the monitor's id");
    assert_eq!(read(Some(&key), Some(&value(&CheckResult { slot: 12, ..up() }))), "the slot lies outside 2020–2100");
    assert_eq!(read(Some(&key), Some(&value(&CheckResult { interval_ms: 5, ..up() }))), "the interval is below one second");
    let forged = String::from_utf8(value(&up())).expect("text").replace("\"slot\":1772323200123", "\"slot\":1772323260123");
    assert_eq!(read(Some(&key), Some(forged.as_bytes())), "the id is not the one of (monitor, region, slot)");
    // Deeper than any reader should follow.
    let deep = format!("{{\"v\":1,\"x\":{}", "[".repeat(60_000));
    assert!(read(Some(&key), Some(deep.as_bytes())).starts_with("the value is no JSON of this shape"));
}

mod any {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_read_or_refused(value in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = events::decode_result(Some(b"k"), Some(&value));
            let _ = events::MonitorChange::decode(Some(&value));
            let _ = events::IncidentEvent::decode(Some(&value));
            let _ = events::decode_prober(Some(b"k"), Some(&value));
        }

        #[test]
        fn a_result_survives_the_trip(latency in any::<Option<u32>>(), detail in any::<Option<String>>(), suspect in any::<bool>(), epoch in any::<u64>(), status in any::<Option<u16>>()) {
            let result = model::CheckResult { latency_us: latency, detail, suspect, epoch, status, ..super::down() };
            let value = events::encode_result(&result).expect("JSON");
            prop_assert_eq!(super::decode(&value).expect("readable"), result);
        }
    }
}

/// Prints what one record costs; no assertion on time.
#[test]
#[ignore = "a figure, on demand: cargo test -p events --release -- --ignored --nocapture"]
fn cost() {
    let value = encode_result(&up()).expect("JSON");
    let key = MONITOR.to_string();
    let rounds = 200_000_u32;
    let began = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(decode_result(Some(key.as_bytes()), Some(&value))).expect("readable");
    }
    println!("decode: {:?} per result of {} bytes", began.elapsed() / rounds, value.len());
    let began = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(encode_result(&up())).expect("JSON");
    }
    println!("encode: {:?} per result", began.elapsed() / rounds);
}

#[test]
fn what_postgresql_would_not_take_is_cleaned_and_the_verdict_stands() {
    let key = MONITOR.to_string();
    let dirty = CheckResult { detail: Some(format!("got \u{0}503\n{}", "é".repeat(400))), pinger: "pinger\u{0}".repeat(100), ..down() };
    let read = decode_result(Some(key.as_bytes()), Some(&encode_result(&dirty).expect("JSON"))).expect("readable");
    let detail = read.detail.as_deref().expect("a detail");
    assert!(detail.starts_with("got  503 é") && detail.chars().count() == 300, "{detail:?}");
    assert!(read.pinger.starts_with("pinger pinger ") && read.pinger.len() == 255, "{:?}", read.pinger);
    assert_eq!(CheckResult { detail: None, pinger: String::new(), ..read }, CheckResult { detail: None, pinger: String::new(), ..dirty });
}

#[test]
fn a_cause_of_a_newer_writer_is_none_and_the_verdict_stands() {
    let value = String::from_utf8(encode_result(&down()).expect("JSON")).expect("UTF-8");
    let newer = value.replace(r#""cause":"status""#, r#""cause":"solar_flare""#);
    assert_ne!(newer, value);
    let read = decode_result(Some(MONITOR.to_string().as_bytes()), Some(newer.as_bytes())).expect("readable");
    assert_eq!(read, CheckResult { cause: None, ..down() });
}
