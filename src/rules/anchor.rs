//! Whether pf(4) comes to the anchors of the sessions: an anchor counts only if a rule of the main ruleset, or of one
//! that is evaluated itself, names it.

use super::pf::Grammar;

/// What `pfctl -s rules` and `pfctl -s nat` print of one ruleset; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Of the filter.
    pub rules: String,
    /// Of translation; empty where the grammar has none.
    pub nat: String,
}

/// The kinds of anchors that sessions need.
fn kinds(grammar: Grammar) -> &'static [&'static str] {
    match grammar {
        Grammar::Translation => &["nat-anchor", "rdr-anchor", "anchor"],
        Grammar::Match => &["anchor"],
    }
}

/// The lines that pf.conf(5) lacks, so that the anchors directly below `anchor` are evaluated; empty if they are.
/// `listings` has the main ruleset, then the first part of `anchor`, its first two parts, and so on up to the whole;
/// it may end early.
#[must_use]
pub fn missing(listings: &[Listing], anchor: &str, grammar: Grammar) -> Vec<String> {
    let path: Vec<&str> = anchor.split('/').collect();
    let lacks = |kind: &&&str| !reaches(listings, &path, kind);
    let line = |kind: &&str| format!("{kind} \"{anchor}/*\"");
    kinds(grammar).iter().filter(lacks).map(line).collect()
}

/// Whether evaluation, which begins at the main ruleset, comes to what is directly below `path`.
fn reaches(listings: &[Listing], path: &[&str], kind: &str) -> bool {
    let mut reached = vec![false; path.len() + 2];
    reached[0] = true;
    for (depth, listing) in listings.iter().enumerate().take(path.len() + 1) {
        if !reached[depth] {
            continue;
        }
        let text = if kind == "anchor" {
            &listing.rules
        } else {
            &listing.nat
        };
        for name in named(text, kind) {
            if let Some(next) = leads_to(name, depth, path) {
                reached[next] = true;
            }
        }
    }
    reached[path.len() + 1]
}

/// The names in the anchor rules of this kind. What stands within braces is another ruleset's.
fn named<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut braces = 0_usize;
    for line in text.lines().map(str::trim) {
        if line.starts_with('}') {
            braces = braces.saturating_sub(1);
        }
        if braces == 0 {
            names.extend(name(line, kind));
        }
        if line.ends_with('{') {
            braces += 1;
        }
    }
    names
}

fn name<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(kind)?.strip_prefix([' ', '\t'])?;
    let rest = rest.trim_start();
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split_whitespace().next(),
    }
}

/// How many parts of `path` are behind us once the rule with this name, in the ruleset of the first `depth` of them, has
/// been followed; one more than all for any session's anchor. A name that begins with a slash begins at the main
/// ruleset, and only a last part `*` behind another part stands for any.
fn leads_to(name: &str, depth: usize, path: &[&str]) -> Option<usize> {
    let (mut at, name) = match name.strip_prefix('/') {
        Some(name) => (0, name),
        None => (depth, name),
    };
    let mut parts: Vec<&str> = name.split('/').collect();
    let any = parts.last() == Some(&"*") && (at > 0 || parts.len() > 1);
    if any {
        parts.pop();
    }
    for part in parts {
        if path.get(at) != Some(&part) {
            return None;
        }
        at += 1;
    }
    let next = at + usize::from(any);
    (next <= path.len() + 1 && next > depth).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(rules: &str, nat: &str) -> Listing {
        Listing {
            rules: rules.to_owned(),
            nat: nat.to_owned(),
        }
    }

    /// All three kinds of anchor rules, with these names and as pfctl prints them.
    fn all(name: &str) -> Listing {
        listing(
            &format!("scrub in all fragment reassemble\nanchor \"{name}\" all\nblock drop all\n"),
            &format!("nat-anchor \"{name}\" all\nrdr-anchor \"{name}\" all\n"),
        )
    }

    fn lacks(listings: &[Listing], anchor: &str) -> bool {
        let lines = missing(listings, anchor, Grammar::Translation);
        assert!(lines.is_empty() || lines.len() == 3, "{lines:?}");
        !lines.is_empty()
    }

    #[test]
    fn what_is_missing_is_told_as_lines_of_pf_conf() {
        let nat = listing("", "nat-anchor \"ftp-proxy/*\" all\n");
        assert_eq!(
            missing(&[nat], "ftp-proxy", Grammar::Translation),
            ["rdr-anchor \"ftp-proxy/*\"", "anchor \"ftp-proxy/*\""]
        );
        assert_eq!(
            missing(&[listing("pass all", "")], "a/b", Grammar::Match),
            ["anchor \"a/b/*\""]
        );
    }

    #[test]
    fn an_anchor_of_the_main_ruleset_is_enough() {
        assert!(!lacks(&[all("ftp-proxy/*")], "ftp-proxy"));
        assert!(!lacks(&[all("a/b/ftp-proxy/*")], "a/b/ftp-proxy"));
        let filter = listing("anchor \"ftp-proxy/*\" all\n", "");
        assert!(missing(&[filter], "ftp-proxy", Grammar::Match).is_empty());
    }

    #[test]
    fn conditions_of_an_anchor_are_the_administrator_s_own() {
        let rules = "anchor \"ftp-proxy/*\" in on em1 inet proto tcp from any to any\n";
        let nat = "  nat-anchor   ftp-proxy/* on em0\n\trdr-anchor\t\"ftp-proxy/*\"";
        assert!(!lacks(&[listing(rules, nat)], "ftp-proxy"));
    }

    #[test]
    fn the_anchor_itself_or_another_one_is_not_enough() {
        for name in [
            "ftp-proxy",
            "ftp-proxy2/*",
            "ftp-prox/*",
            "ftp-proxy/*/*",
            "*",
            "/*",
            "",
            "ftp-proxy/1",
            "../ftp-proxy/*",
        ] {
            let listings = [all(name), Listing::default()];
            assert!(lacks(&listings, "ftp-proxy"), "{name}");
        }
        assert!(lacks(&[all("ftp-proxy/*")], "other/ftp-proxy"));
        // In the main ruleset an asterisk alone is a name.
        for name in ["*", "/*"] {
            assert!(lacks(&[all(name), all("*")], "ftp-proxy"), "{name}");
        }
    }

    #[test]
    fn a_word_that_only_begins_like_an_anchor_rule_is_none() {
        let rules = "anchored \"ftp-proxy/*\"\nno anchor \"ftp-proxy/*\"\n# anchor \"ftp-proxy/*\"";
        let missing = missing(&[listing(rules, "")], "ftp-proxy", Grammar::Match);
        assert_eq!(missing.len(), 1);
    }

    #[test]
    fn evaluation_goes_from_anchor_to_anchor() {
        let (none, path) = (
            Listing::default(),
            "com.apple/100.InternetSharing/ftp-proxy",
        );
        let main = all("com.apple/*");
        for (listings, lacking) in [
            (vec![main.clone()], true),
            (vec![main.clone(), none.clone(), all("ftp-proxy/*")], false),
            (vec![main.clone(), none.clone(), all("*")], true),
            (vec![main.clone(), none.clone(), all("*"), all("*")], false),
            (
                vec![main.clone(), none.clone(), all("ftp-proxy"), all("*")],
                false,
            ),
            (
                vec![
                    main.clone(),
                    none.clone(),
                    all("/com.apple/100.InternetSharing/ftp-proxy/*"),
                ],
                false,
            ),
            // What is not evaluated itself leads nowhere.
            (
                vec![main.clone(), all("100.InternetSharing/ftp-proxy/*")],
                true,
            ),
            (vec![none.clone(), none.clone(), all("ftp-proxy/*")], true),
            (vec![main, none.clone(), none, all("*")], true),
        ] {
            assert_eq!(lacks(&listings, path), lacking, "{listings:?}");
        }
    }

    #[test]
    fn what_stands_in_braces_is_another_ruleset() {
        let inner = "anchor all {\n  anchor \"ftp-proxy/*\" all\n}\npass all\n";
        let main = |text: &str| [listing(text, "")];
        assert_eq!(missing(&main(inner), "ftp-proxy", Grammar::Match).len(), 1);
        let behind = format!("{inner}anchor \"ftp-proxy/*\" all\n");
        assert!(missing(&main(&behind), "ftp-proxy", Grammar::Match).is_empty());
    }

    #[test]
    fn any_text_is_looked_through() {
        for text in [
            "",
            "anchor",
            "anchor ",
            "anchor \"",
            "anchor \"/",
            "}\n}\n{",
            "anchor \"\u{fffd}/*",
            "\0",
            "anchor /*",
        ] {
            let listings = vec![listing(text, text); 9];
            for anchor in ["", "/", "a", "a/b/c"] {
                let missing = missing(&listings, anchor, Grammar::Translation);
                assert_eq!(missing.len(), 3, "{text:?} {anchor:?}");
            }
        }
    }
}
