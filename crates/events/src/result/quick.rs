//! The quick way to read a value: field after field where [`super::wire::Out`] puts them, without a parser for
//! every JSON. What deviates in any way (another writer's order, a field more, an escaped text) is left to serde,
//! so this decides nothing: what it reads, serde reads the same.

use model::{Cause, CheckResult, Outcome, Phases, Region, known_word};
use uuid::Uuid;

/// The id the writer gave it, and the result; nothing where serde is to read it.
pub(super) fn read(value: &[u8]) -> Option<(Uuid, CheckResult)> {
    let mut scan = Scan(value);
    scan.skip(br#"{"v":1,"id":"#)?;
    let id = scan.uuid()?;
    let result = CheckResult {
        monitor: scan.field(br#","monitor":"#)?.uuid()?.into(),
        region: scan.field(br#","region":"#)?.text()?.parse::<Region>().ok()?,
        slot: scan.field(br#","slot":"#)?.number()?,
        interval_ms: scan.field(br#","interval_ms":"#)?.number()?,
        outcome: scan.field(br#","outcome":"#)?.outcome()?,
        cause: scan.optional(br#","cause":"#, Scan::cause)?,
        detail: scan.optional(br#","detail":"#, |scan| scan.text().map(str::to_owned))?,
        latency_us: scan.optional(br#","latency_us":"#, Scan::number)?,
        phases: scan.field(br#","phases":"#)?.phases()?,
        status: scan.optional(br#","status":"#, Scan::number)?,
        certificate_expires_at: scan.optional(br#","certificate_expires_at":"#, Scan::number)?,
        attempts: scan.field(br#","attempts":"#)?.number()?,
        started_at: scan.field(br#","started_at":"#)?.number()?,
        epoch: scan.field(br#","epoch":"#)?.number()?,
        pinger: scan.field(br#","pinger":"#)?.text()?.to_owned(),
        revision: scan.field(br#","revision":"#)?.number()?,
        suspect: scan.optional(br#","suspect":true"#, |_| Some(()))?.is_some(),
    };
    (scan.0 == b"}").then_some((id, result))
}

/// What is not read yet.
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Passes over the name of a field that must come next.
    fn field(&mut self, name: &[u8]) -> Option<&mut Self> {
        self.skip(name)?;
        Some(self)
    }

    /// Reads the field if it comes next.
    #[expect(clippy::option_option, reason = "not there is one thing, unreadable another")]
    fn optional<T>(&mut self, name: &[u8], read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.skip(name).is_none() {
            return Some(None);
        }
        read(self).map(Some)
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.skip(b"\"")?;
        let end = self.0.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < b' ')?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix(b"\"")?;
        std::str::from_utf8(text).ok()
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.skip(b"\"")?;
        let (text, rest) = self.0.split_at_checked(36)?;
        self.0 = rest.strip_prefix(b"\"")?;
        Uuid::try_parse_ascii(text).ok()
    }

    /// A whole number that is not negative, as JSON spells it.
    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (text, rest) = self.0.split_at_checked(digits)?;
        if digits == 0 || (digits > 1 && text.starts_with(b"0")) {
            return None;
        }
        let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
        let number = text.iter().try_fold(0_u64, add)?;
        self.0 = rest;
        T::try_from(number).ok()
    }

    fn outcome(&mut self) -> Option<Outcome> {
        let text = self.text()?;
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    fn cause(&mut self) -> Option<Cause> {
        known_word(self.text()?)
    }

    fn phases(&mut self) -> Option<Phases> {
        self.skip(b"{")?;
        let mut phases = Phases::default();
        let fields: [(&[u8], &mut Option<u32>); 5] = [
            (br#""resolve_us":"#, &mut phases.resolve_us),
            (br#""connect_us":"#, &mut phases.connect_us),
            (br#""tls_us":"#, &mut phases.tls_us),
            (br#""first_byte_us":"#, &mut phases.first_byte_us),
            (br#""transfer_us":"#, &mut phases.transfer_us),
        ];
        let mut comma: &[u8] = b"";
        for (name, phase) in fields {
            if let Some(rest) = self.0.strip_prefix(comma).and_then(|rest| rest.strip_prefix(name)) {
                self.0 = rest;
                *phase = Some(self.number()?);
                comma = b",";
            }
        }
        self.skip(b"}")?;
        Some(phases)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::In;
    use super::*;

    fn slow(value: &[u8]) -> Option<(Uuid, CheckResult)> {
        serde_json::from_slice::<In>(value).ok().map(In::split)
    }

    const FULL: &str = concat!(
        r#"{"v":1,"id":"2e0382cf-d6f6-52d9-9779-777fed3410fc","monitor":"01930000-0000-7000-8000-000000000001","#,
        r#""region":"eu-west","slot":1772323200123,"interval_ms":60000,"outcome":"down","cause":"status","detail":"was 503 – no","#,
        r#""latency_us":1251,"phases":{"connect_us":301,"first_byte_us":950},"status":503,"certificate_expires_at":1780000000000,"#,
        r#""attempts":2,"started_at":1772323200127,"epoch":7,"pinger":"pinger-7f9c","revision":42,"suspect":true}"#
    );

    #[test]
    fn what_our_writer_writes_is_read_the_quick_way() {
        let (id, result) = read(FULL.as_bytes()).expect("read");
        assert_eq!(slow(FULL.as_bytes()), Some((id, result.clone())));
        assert_eq!(serde_json::to_string(&super::super::wire::Out::of(&result)).expect("JSON").len(), FULL.len());
        for (part, without) in [
            (r#","cause":"status""#, ""),
            (r#","detail":"was 503 – no""#, ""),
            (r#","latency_us":1251"#, ""),
            (r#"{"connect_us":301,"first_byte_us":950}"#, "{}"),
            (r#","status":503"#, ""),
            (r#","certificate_expires_at":1780000000000"#, ""),
            (r#","suspect":true"#, ""),
        ] {
            let value = FULL.replace(part, without);
            assert!(value.len() < FULL.len());
            let quick = read(value.as_bytes());
            assert!(quick.is_some() && quick == slow(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_another_writer_may_write_is_left_to_serde() {
        for (part, other) in [
            (r#""v":1,"#, r#""v": 1,"#),
            (r#""slot":1772323200123"#, r#""slot":1772323200123.0"#),
            (r#""slot":1772323200123"#, r#""slot":01772323200123"#),
            (r#""attempts":2"#, r#""attempts":300"#),
            (r#""epoch":7"#, r#""epoch":99999999999999999999"#),
            (r#""pinger":"pinger-7f9c""#, r#""pinger":"pinger\u002d7f9c""#),
            (r#""revision":42"#, r#""revision":-42"#),
            (r#""suspect":true"#, r#""suspect":false"#),
            (r#""suspect":true"#, r#""suspect":true,"future":1"#),
            (r#""connect_us":301,"first_byte_us":950"#, r#""first_byte_us":950,"connect_us":301"#),
            (r#""latency_us":1251"#, r#""latency_us":null"#),
            (r#""outcome":"down""#, r#""outcome":"doubtful""#),
        ] {
            let value = FULL.replace(part, other);
            assert_ne!(value, FULL);
            assert_eq!(read(value.as_bytes()), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_it_reads_serde_reads_the_same(
            edits in prop::collection::vec((0..FULL.len(), prop::sample::select(br#"0127e.,:{}"\-n "#.to_vec())), 0..3),
        ) {
            let mut value = FULL.as_bytes().to_vec();
            for (at, byte) in edits {
                value[at] = byte;
            }
            if let Some(quick) = read(&value) {
                prop_assert_eq!(Some(quick), slow(&value));
            }
        }
    }
}
