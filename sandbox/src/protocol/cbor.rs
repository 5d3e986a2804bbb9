//! CBOR (RFC 8949) as Smithy RPC v2 has it: the values of JSON, and times as tag 1. No byte strings: no
//! operation here has any. It knows no operation of any service.

use serde_json::{Map, Number, Value};

/// Values are read by recursion, and nothing of AWS is deeper.
const DEEPEST: u32 = 32;

/// Ends what has no length.
const BREAK: u8 = 0xff;

/// The value that is written here, and nothing after it.
pub(crate) fn decode(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader(bytes);
    let value = reader.value(DEEPEST)?;
    reader.0.is_empty().then_some(value)
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// The major type, the additional information, and the argument; what has no length has none.
    fn head(&mut self) -> Option<(u8, u8, Option<u64>)> {
        let [first] = *self.take(1)? else { return None };
        let argument = match first & 31 {
            small @ 0..24 => Some(u64::from(small)),
            size @ 24..28 => Some(self.number(1 << (size - 24))?),
            31 => None,
            _ => return None,
        };
        Some((first >> 5, first & 31, argument))
    }

    /// Whether a list, a map or a text goes on: `left` is what is left of its length.
    fn goes_on(&mut self, left: &mut Option<u64>) -> bool {
        match left {
            Some(0) => false,
            Some(count) => {
                *count -= 1;
                true
            }
            None if self.0.first() == Some(&BREAK) => {
                self.0 = &self.0[1..];
                false
            }
            None => true,
        }
    }

    fn text(&mut self, length: Option<u64>) -> Option<String> {
        if let Some(length) = length {
            let bytes = self.take(usize::try_from(length).ok()?)?;
            return Some(std::str::from_utf8(bytes).ok()?.to_owned());
        }
        let mut text = String::new();
        while self.goes_on(&mut None) {
            let (3, _, Some(length)) = self.head()? else { return None };
            text.push_str(&self.text(Some(length))?);
        }
        Some(text)
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let (major, info, argument) = self.head()?;
        let mut left = argument;
        Some(match major {
            0 => argument?.into(),
            1 => i64::try_from(argument?).ok().map(|number| -1 - number)?.into(),
            3 => self.text(argument)?.into(),
            4 => {
                let mut list = Vec::new();
                while self.goes_on(&mut left) {
                    list.push(self.value(depth)?);
                }
                list.into()
            }
            5 => {
                let mut map = Map::new();
                while self.goes_on(&mut left) {
                    let (3, _, length) = self.head()? else { return None };
                    map.insert(self.text(length)?, self.value(depth)?);
                }
                map.into()
            }
            // A time, in seconds.
            6 if argument == Some(1) => self.value(depth).filter(Value::is_number)?,
            7 => match (info, argument?) {
                (20, _) => false.into(),
                (21, _) => true.into(),
                (22 | 23, _) => Value::Null,
                (25, bits) => float(half(u16::try_from(bits).ok()?))?,
                (26, bits) => float(f32::from_bits(u32::try_from(bits).ok()?).into())?,
                (27, bits) => float(f64::from_bits(bits))?,
                _ => return None,
            },
            _ => return None,
        })
    }
}

fn float(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

/// A number of 16 bits (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let number = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -number } else { number }
}

/// Writes a value. The numbers of members that `is_time` knows are times.
pub(crate) fn encode(value: &Value, is_time: fn(&str) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, value, is_time);
    bytes
}

fn head(bytes: &mut Vec<u8>, major: u8, argument: u64) {
    let big = argument.to_be_bytes();
    let (info, size) = match argument {
        0..24 => (argument as u8, 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    bytes.push(major << 5 | info);
    bytes.extend_from_slice(&big[8 - size..]);
}

fn write(bytes: &mut Vec<u8>, value: &Value, is_time: fn(&str) -> bool) {
    match value {
        Value::Null => bytes.push(0xf6),
        Value::Bool(flag) => bytes.push(0xf4 + u8::from(*flag)),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => head(bytes, 0, number),
            (_, Some(number)) => head(bytes, 1, number.unsigned_abs() - 1),
            _ => {
                bytes.push(0xfb);
                bytes.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(text) => self::text(bytes, text),
        Value::Array(list) => {
            head(bytes, 4, list.len() as u64);
            list.iter().for_each(|item| write(bytes, item, is_time));
        }
        Value::Object(map) => {
            head(bytes, 5, map.len() as u64);
            for (name, value) in map {
                text(bytes, name);
                if value.is_number() && is_time(name) {
                    head(bytes, 6, 1);
                }
                write(bytes, value, is_time);
            }
        }
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    head(bytes, 3, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.map(|pair| byte(pair).expect("hexadecimal digits")).collect()
    }

    /// The examples of RFC 8949, appendix A.
    #[test]
    fn values_are_read_as_the_standard_says() {
        for (hex, value) in [
            ("00", json!(0)),
            ("1903e8", json!(1000)),
            ("1bffffffffffffffff", json!(u64::MAX)),
            ("3903e7", json!(-1000)),
            ("f93c00", json!(1.0)),
            ("f90001", json!(5.960_464_477_539_063e-8)),
            ("f9c400", json!(-4.0)),
            ("fa47c35000", json!(100_000.0)),
            ("fb3ff199999999999a", json!(1.1)),
            ("f5", json!(true)),
            ("f6", Value::Null),
            ("c1fb41d452d9ec200000", json!(1_363_896_240.5)),
            ("62c3bc", json!("ü")),
            ("7f657374726561646d696e67ff", json!("streaming")),
            ("8301820203820405", json!([1, [2, 3], [4, 5]])),
            ("9f018202039f0405ffff", json!([1, [2, 3], [4, 5]])),
            ("a26161016162820203", json!({"a": 1, "b": [2, 3]})),
            ("bf61610161629f0203ffff", json!({"a": 1, "b": [2, 3]})),
        ] {
            assert_eq!(decode(&bytes(hex)), Some(value), "{hex}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let deep = "81".repeat(33) + "00";
        // Nothing, a part, too much, no number, a byte string, an unknown tag, a key that is no text, a
        // break that ends nothing, too deep, a length that nothing has.
        for hex in [
            "",
            "19",
            "0000",
            "f97e00",
            "4101",
            "c001",
            "a10102",
            "ff",
            &deep,
            "9bffffffffffffffff",
        ] {
            assert_eq!(decode(&bytes(hex)), None, "{hex}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let value = json!({
            "text": "ü".repeat(200), "numbers": [0, 23, 24, 255, 256, 65_536, u64::MAX, -1, -256, 0.1],
            "flags": [true, false, null], "empty": {}, "At": 1.5, "nested": [{"At": 7}],
        });
        let written = encode(&value, |name| name == "At");
        assert_eq!(decode(&written), Some(value));
        let tagged = |number: &[u8]| written.windows(number.len()).any(|own| own == number);
        assert!(tagged(&bytes("624174c107")) && tagged(&bytes("624174c1fb3ff8")), "times");
    }
}
