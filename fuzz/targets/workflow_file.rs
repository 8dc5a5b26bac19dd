//! A target's workflow file, as GitHub gives it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::workflow::Declared;

fuzz_target!(|text: &str| {
    let Ok(Some(declared)) = Declared::read("release.yml", text) else { return };
    let missing = declared.misfits([]);
    for misfit in &missing {
        assert!(declared.has(&misfit.name), "{misfit:?}");
        assert!(!misfit.what.is_empty() && !misfit.help.is_empty(), "{misfit:?}");
        // With a value that is not blank it is not missing any more.
        let given = [(misfit.name.as_str(), "x")];
        let required = declared.misfits(given).into_iter().filter(|other| other.name == misfit.name);
        assert!(required.into_iter().all(|other| other.what != misfit.what), "{misfit:?}");
    }
    let stranger = missing.iter().map(|misfit| misfit.name.as_str()).collect::<String>() + "\u{0}stranger";
    assert!(declared.has(&stranger) || declared.misfits([(stranger.as_str(), "x")]).len() > missing.len());
});
