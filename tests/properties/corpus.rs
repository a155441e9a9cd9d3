//! The kept corpus, replayed.

use std::path::Path;

use crate::checks;

#[test]
fn every_kept_input_keeps_its_property() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, check) in checks::ALL {
        let folder = corpus.join(name);
        let mut inputs = 0;
        for entry in folder.read_dir().expect("a corpus for each check") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("an input");
            let held = std::panic::catch_unwind(|| check(&bytes));
            assert!(held.is_ok(), "{}", path.display());
            inputs += 1;
        }
        assert!(inputs > 0, "the corpus of {name} is empty");
    }
}
