//! Search by substring, pinyin and initials, through one portable table of terms.
//!
//! `LIKE '%…%'` reads the whole table and differs between the engines in case. Instead every
//! suffix of a text is a row, so that a prefix scan on the primary key finds substrings: 统计局
//! is found by 计局, `jiju`, `tjj` and `tongji`. The table grows with the length of names, not
//! with their number squared: texts are cut at [`LONGEST`] characters.

use lingbao_model::text;
use pinyin::ToPinyin;

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// So many characters of a text are found again.
const LONGEST: usize = 48;
/// A term is cut here; a longer search is cut likewise.
const TERM: usize = 24;
/// So many words of a search count, each of which must be met.
const WORDS: usize = 4;

/// A text as it is compared: half-width, lower case, without white space.
#[must_use]
pub fn fold(typed: &str) -> String {
    text::half_width(typed)
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect()
}

/// Key by which names sort on both engines alike: Chinese by sound, as in a telephone book, then
/// by the name itself.
#[must_use]
pub fn sort_key(name: &str) -> String {
    let folded = fold(name);
    let mut key = String::with_capacity(folded.len() * 2);
    for c in folded.chars().take(LONGEST) {
        match c.to_pinyin() {
            Some(sound) => {
                key.push_str(sound.plain());
                // Keeps syllables apart: 西安 (xi an) sorts before 先 (xian).
                key.push(' ');
            }
            None => key.push(c),
        }
    }
    key.push('\u{1}');
    key.push_str(&folded);
    key
}

/// Every term of a text.
fn terms(typed: &str) -> Vec<String> {
    let folded: Vec<char> = fold(typed).chars().take(LONGEST).collect();
    let cut = |text: String| text.chars().take(TERM).collect::<String>();
    let chinese = folded.iter().any(|c| c.to_pinyin().is_some());
    let mut all = Vec::new();
    for from in 0..folded.len() {
        let rest = folded.get(from..).unwrap_or_default();
        all.push(cut(rest.iter().collect()));
        if chinese {
            let sounds = rest.iter().take(TERM);
            let mut whole = String::new();
            let mut initials = String::new();
            for c in sounds {
                match c.to_pinyin() {
                    Some(sound) => {
                        whole.push_str(sound.plain());
                        initials.push_str(sound.first_letter());
                    }
                    None => {
                        whole.push(*c);
                        initials.push(*c);
                    }
                }
            }
            // ü is typed as v on every Chinese keyboard, and written `lü` by the table.
            all.push(cut(whole.replace('ü', "v")));
            all.push(cut(initials.replace('ü', "v")));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Makes a subject findable by these texts, and by no others any more.
///
/// # Errors
/// What the database says.
pub async fn index(
    tx: &mut Tx,
    kind: &str,
    subject_id: &str,
    texts: &[&str],
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("DELETE FROM search_term WHERE subject_id = $1 AND kind = $2")
        .bind(subject_id).bind(kind).execute(conn).await.map(|_| ()))?;
    let mut all: Vec<String> = texts.iter().flat_map(|text| terms(text)).collect();
    all.sort();
    all.dedup();
    // Some rows at a time: one statement each would be a hundred round trips for one name.
    for some in all.chunks(100) {
        let mut sql = Sql::new("INSERT INTO search_term (kind, term, subject_id) VALUES ");
        for (i, term) in some.iter().enumerate() {
            sql = sql
                .push(if i == 0 { "(" } else { ", (" })
                .bind(kind)
                .push(", ")
                .bind(term.as_str())
                .push(", ")
                .bind(subject_id)
                .push(")");
        }
        sql.run(tx).await?;
    }
    Ok(())
}

/// Appends the conditions of a search; `column` holds the subject's id and ends with it, as in
/// `" AND u.id"`. Each word that was typed must be met; nothing typed adds nothing.
#[must_use]
pub fn matching(mut sql: Sql, column: &'static str, kind: &'static str, typed: &str) -> Sql {
    for word in words(typed) {
        let end = format!("{word}\u{10FFFF}");
        sql = sql
            .push(column)
            .push(" IN (SELECT subject_id FROM search_term WHERE kind = ")
            .bind(kind)
            .push(" AND term >= ")
            .bind(word)
            .push(" AND term < ")
            .bind(end)
            .push(")");
    }
    sql
}

fn words(typed: &str) -> Vec<String> {
    text::half_width(typed)
        .split_whitespace()
        .map(|word| fold(word).chars().take(TERM).collect::<String>())
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .collect()
}

/// Ids of a kind that a search meets, at most `limit`: for tests and small pickers; lists use
/// [`matching`] inside their own statement, where the scope stands.
///
/// # Errors
/// What the database says.
pub async fn hits(
    rx: &mut ReadTx,
    kind: &'static str,
    typed: &str,
    limit: i64,
) -> Result<Vec<String>, StorageError> {
    if words(typed).is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        Sql::new("SELECT DISTINCT t.subject_id FROM search_term t WHERE t.kind = ").bind(kind);
    let rows: Vec<(String,)> = matching(sql, " AND t.subject_id", kind, typed)
        .push(" ORDER BY t.subject_id LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::engines;

    #[tokio::test]
    async fn a_name_is_found_by_its_middle_its_sound_and_its_initials() {
        for db in engines().await {
            let mut tx = db.begin().await.unwrap();
            index(&mut tx, "unit", "u1", &["宁波市统计局", "统计局"])
                .await
                .unwrap();
            index(&mut tx, "unit", "u2", &["绿化办 Ops-01"])
                .await
                .unwrap();
            index(&mut tx, "user", "u3", &["统计"]).await.unwrap();
            for (typed, found) in [
                ("统计", vec!["u1"]),
                ("波市统", vec!["u1"]),
                ("TONGJI", vec!["u1"]),
                ("tjj", vec!["u1"]),
                ("ｔｊｊ", vec!["u1"]),
                ("nbs 统计", vec!["u1"]),
                ("nbs 绿化", vec![]),
                ("lvhua", vec!["u2"]),
                ("ops-01", vec!["u2"]),
                ("%", vec![]),
                ("tongjiju1", vec![]),
                ("   ", vec![]),
            ] {
                assert_eq!(
                    hits(&mut tx, "unit", typed, 9).await.unwrap(),
                    found,
                    "{typed}"
                );
            }
            index(&mut tx, "unit", "u1", &["大数据局"]).await.unwrap();
            assert!(hits(&mut tx, "unit", "tjj", 9).await.unwrap().is_empty());
            assert_eq!(hits(&mut tx, "unit", "dsjj", 9).await.unwrap(), ["u1"]);
        }
    }

    #[test]
    fn a_long_text_costs_bounded_rows() {
        let long = "数".repeat(5000);
        assert!(terms(&long).len() <= 3 * LONGEST);
        assert!(terms(&long).iter().all(|t| t.chars().count() <= TERM));
    }

    #[test]
    fn names_sort_by_sound() {
        let mut names = vec!["周", "张三", "安", "Bo", "张"];
        names.sort_by_key(|n| sort_key(n));
        assert_eq!(names, ["安", "Bo", "张", "张三", "周"]);
    }
}
