//! Pages: `PageSize` (1 to 400) and `Marker` in, `NextMarker` out.

use serde_json::{Map, Value, json};

use crate::{
    fault::Fault,
    query::{Answer, text},
};

/// One page of what was found, as the member `name`.
pub(super) fn page(request: &Map<String, Value>, name: &str, found: Vec<Value>) -> Answer {
    let number = |member: &str| text(request, member).map(str::parse::<usize>).transpose();
    let invalid = |_| Fault::validation("The marker is not valid");
    let size = number("PageSize").map_err(invalid)?.unwrap_or(400);
    let start = number("Marker").map_err(invalid)?.unwrap_or(0);
    if !(1..=400).contains(&size) {
        return Err(Fault::validation(format!(
            "1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: Member must have value between 1 and 400"
        )));
    }
    let mut answer = Map::new();
    let all = found.len();
    answer.insert(name.to_owned(), found.into_iter().skip(start).take(size).collect());
    if start + size < all {
        answer.insert("NextMarker".to_owned(), json!((start + size).to_string()));
    }
    Ok(answer)
}
