use proptest::prelude::*;

use super::{ArtifactKind, Flag, MOST_TERMS, Query, Sort, Term};

fn parsed(text: &str) -> Vec<Term> {
    Query::parse(text).terms
}

fn word(text: &str) -> Term {
    Term::Word(text.to_owned())
}

#[test]
fn conditions_and_words() {
    assert_eq!(
        parsed(
            "owner:Alice.Test kind:chart platform:linux/arm64 license:MIT \"exact Words\" -not is:signed updated:2w"
        ),
        [
            Term::Owner("alice.test".into()),
            Term::Kind(ArtifactKind::Chart),
            Term::Platform("linux/arm64".into()),
            Term::License("mit".into()),
            Term::Phrase("exact words".into()),
            Term::Not(Box::new(word("not"))),
            Term::Is(Flag::Signed),
            Term::Updated(14),
        ]
    );
    // What looks like a condition and is none.
    assert_eq!(parsed("kind:nothing http://x a:b"), [word("http"), word("x"), word("a"), word("b")]);
    assert_eq!(parsed("owner:@alice.test @bob.test"), [Term::Owner("alice.test".into()), word("bob.test")]);
    assert_eq!(
        parsed("\"one\" hello-world a\"b c\""),
        [word("one"), word("hello"), word("world"), word("a"), Term::Phrase("b c".into())]
    );
    assert_eq!(
        parsed("-owner:bob -\"x y\" -"),
        [Term::Not(Box::new(Term::Owner("bob".into()))), Term::Not(Box::new(Term::Phrase("x y".into()))),]
    );
    assert_eq!(parsed("a a A"), [word("a")]);
    assert_eq!(
        parsed("Alice.test/team/My-App v1."),
        [word("alice.test"), word("team"), word("my"), word("app"), word("v1")]
    );
    assert_eq!(parsed("did:plc:abc"), [Term::Owner("did:plc:abc".into())]);
    assert_eq!(parsed("owner:did:plc:abc license:\"MIT OR Apache-2.0\"").len(), 2);
    assert!(Query::parse("").is_empty() && !Query::parse("\"unclosed words").is_empty());
}

#[test]
fn what_is_too_long_is_cut_and_said() {
    assert!(Query::parse(&"a".repeat(10_000)).is_cut);
    let many = Query::parse("a b c d e f g h i j k l m n");
    assert_eq!((many.terms.len(), many.is_cut), (MOST_TERMS, true));
    assert!(!Query::parse("a b c").is_cut && !Query::parse(&" ".repeat(999)).is_cut);
    let wide = Query::parse(&"ж".repeat(200));
    assert!(wide.is_cut && wide.to_string().len() <= 300);
}

#[test]
fn what_is_not_read_as_it_is_written_is_said() {
    let said = |text: &str| {
        let notes = Query::parse(text).notes.into_iter();
        notes
            .map(|note| format!("{note} {}", note.near.as_ref().map(ToString::to_string).unwrap_or_default()))
            .collect()
    };
    for (text, expected) in [
        ("kind:foo", "“kind:foo” was left out: after “kind:” comes image, chart, wasm or artifact. "),
        ("x is:signd", "“is:signd” was left out: after “is:” comes signed, sbom, scanned or public. is:signed"),
        (
            "updated:abc",
            "“updated:abc” was left out: after “updated:” comes a number of days, weeks, months or years: 30d, 2w, 6m, 1y. ",
        ),
        (
            "licens:MIT",
            "“licens:” is no condition, so “licens:MIT” was read as words. \
             The conditions are owner:, kind:, platform:, license:, is: and updated:. license:mit",
        ),
        ("c++", "“c++” was read as “c”: only letters and digits are searched for. "),
        ("@", "Nothing of “@” can be searched for: it has neither letters nor digits. "),
        ("(((", "Nothing of “(((” can be searched for: it has neither letters nor digits. "),
        ("app 🚀", "Nothing of “🚀” can be searched for: it has neither letters nor digits. "),
    ] {
        let notes: Vec<String> = said(text);
        assert_eq!(notes, [expected], "{text}");
    }
    for silent in ["", " ", "app - web", "kind:chart", "@alice", "http://x", "\"a+b c\"", "team/app", "-x"] {
        assert_eq!(said(silent), Vec::<String>::new(), "{silent}");
    }
}

#[test]
fn a_word_is_put_right() {
    assert_eq!(Query::parse("x owner:alise").corrected("owner:alise", "owner:alice").to_string(), "x owner:alice");
    assert_eq!(Query::parse("my ngnix kind:image").corrected("ngnix", "nginx").to_string(), "my nginx kind:image");
}

#[test]
fn orders_have_names() {
    for sort in Sort::ALL {
        assert_eq!(sort.as_str().parse(), Ok(sort));
    }
    assert_eq!(("".parse(), "x".parse::<Sort>().is_err()), (Ok(Sort::Relevance), true));
}

fn condition() -> impl Strategy<Value = Term> {
    prop_oneof![
        "[a-z0-9]{1,8}(\\.[a-z]{2,3})?".prop_map(Term::Word),
        "[a-z]{1,5}( [a-z]{1,5}){1,3}".prop_map(Term::Phrase),
        "[a-z]{1,6}(\\.[a-z]{1,4}){0,2}".prop_map(Term::Owner),
        prop::sample::select(&ArtifactKind::ALL[..]).prop_map(Term::Kind),
        "[a-z]{1,6}/[a-z0-9]{1,6}".prop_map(Term::Platform),
        "[a-z]{1,6}(-[0-9.]{1,3})?( or [a-z]{1,4})?".prop_map(Term::License),
        prop::sample::select(&Flag::ALL[..]).prop_map(Term::Is),
        (1u16..9_999).prop_map(Term::Updated),
    ]
}

proptest! {
    #[test]
    fn every_text_is_a_query_and_says_itself(text in any::<String>()) {
        let query = Query::parse(&text);
        prop_assert!(query.terms.len() <= MOST_TERMS);
        let said = query.to_string();
        let again = Query::parse(&said);
        prop_assert_eq!(again.to_string(), said);
    }

    #[test]
    fn near_misses_are_queries_too(text in "[-\":a-z ]{0,12}(owner|kind|is|updated|license):[-\": a-z0-9]{0,12}") {
        let query = Query::parse(&text);
        prop_assert_eq!(Query::parse(&query.to_string()).terms, query.terms);
    }

    #[test]
    fn terms_survive_the_way_there_and_back(terms in prop::collection::vec((condition(), any::<bool>()), 0..10)) {
        let mut query = Query::default();
        for (term, is_not) in terms {
            query = query.with(if is_not { Term::Not(Box::new(term)) } else { term });
        }
        prop_assert_eq!(&Query::parse(&query.to_string()), &query);
        for term in &query.terms {
            let less = query.without(term);
            prop_assert!(!less.has(term));
            prop_assert_eq!(less.terms.len() + 1, query.terms.len());
        }
    }
}
