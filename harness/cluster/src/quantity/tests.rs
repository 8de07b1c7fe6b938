//! What is a quantity, and how it is written.

use proptest::prelude::*;
use serde_json::json;

use super::*;

proptest! {
    #[test]
    fn what_is_a_quantity_says_itself(
        text in r"[+-]?[0-9]{0,20}(\.[0-9]{0,20})?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?|.{0,20}",
    ) {
        let Some(read) = Quantity::parse(&text) else { return Ok(()) };
        let written = read.to_string();
        let again = Quantity::parse(&written);
        prop_assert_eq!(again, Some(read), "{} became {}", text, written);
        prop_assert_eq!(again.unwrap_or_default().to_string(), written);
    }

    #[test]
    fn what_is_added_can_be_taken_away(a in quantities(), b in quantities()) {
        prop_assert_eq!(a.plus(b), b.plus(a));
        prop_assert_eq!(a.plus(b).minus(b), a);
        prop_assert_eq!(a < b, b.minus(a).is_positive());
    }
}

fn quantities() -> impl Strategy<Value = Quantity> {
    let text = (any::<i32>(), prop::sample::select(vec!["n", "u", "m", "", "k", "G", "Ki", "Gi", "e3"]));
    text.prop_map(|(number, suffix)| Quantity::parse(&format!("{number}{suffix}")).unwrap())
}

#[test]
fn fields_hold_quantities() {
    for (field, written) in [
        (json!("500m"), Some("500m")),
        (json!(3), Some("3")),
        (json!(0.5), Some("500m")),
        (json!("lots"), None),
        (json!({}), None),
    ] {
        assert_eq!(
            Quantity::read(&field).map(|quantity| quantity.to_string()).as_deref(),
            written,
            "{field}"
        );
    }
}

#[test]
fn other_texts_are_none() {
    for bad in
        ["lots", "", ".", "-", "1.2.3", "1e", "1ee3", "1e999999999999", "9999999999999999999999999999999999E"]
    {
        assert_eq!(Quantity::parse(bad), None, "{bad}");
    }
}

#[test]
fn they_are_written_as_the_api_writes_them() {
    let cases = [
        ("0", "0"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("2000m", "2"),
        ("1000", "1k"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1023Ki", "1023Ki"),
        ("100Ki", "100Ki"),
        ("0.25Ki", "256"),
        ("1e3", "1e3"),
        ("12E6", "12e6"),
        ("0.1n", "1n"),
        ("-250m", "-250m"),
        ("123", "123"),
    ];
    for (text, written) in cases {
        assert_eq!(Quantity::parse(text).unwrap().to_string(), written, "{text}");
    }
}

#[test]
fn sums_are_written_as_their_first_part() {
    let sum = |a: &str, b: &str| Quantity::parse(a).unwrap().plus(Quantity::parse(b).unwrap()).to_string();
    assert_eq!(sum("500m", "1"), "1500m");
    assert_eq!(sum("0", "64Mi"), "64Mi");
    assert_eq!(sum("64Mi", "64Mi"), "128Mi");
    assert_eq!(Quantity::of(3).minus(Quantity::of(1)).to_string(), "2");
}

#[test]
fn texts_become_canonical() {
    for (text, written) in [
        ("1000m", Some("1")),
        ("1024Mi", Some("1Gi")),
        ("1.5Gi", Some("1536Mi")),
        ("0.1", Some("100m")),
        ("2048Mi", Some("2Gi")),
        ("1000", Some("1k")),
        ("+1", Some("1")),
        ("01.0", Some("1")),
        ("0Gi", Some("0")),
        ("1e5", Some("100e3")),
        (".001Ki", Some("1024m")),
        ("1", None),
        ("1500m", None),
        ("1536Mi", None),
        ("100e3", None),
        ("lots", None),
    ] {
        assert_eq!(Quantity::canonical(text, false).as_deref(), written, "{text}");
    }
    assert_eq!(Quantity::canonical("1u", false), None);
    for (text, written) in
        [("1u", Some("1m")), ("-1u", Some("-1m")), ("1000001u", Some("1001m")), ("1m", None)]
    {
        assert_eq!(Quantity::canonical(text, true).as_deref(), written, "{text}");
    }
}
