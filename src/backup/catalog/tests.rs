use crate::{
    backup::{
        Catalog, Good, Lack, Origin,
        testing::{Bench, NOW},
    },
    rules::sidecar::LARGEST,
    system::store::{Reason, memory::Memory},
};

async fn read(bench: &Bench, shelf: &Memory) -> Catalog {
    Catalog::read(shelf, &bench.stock(shelf).query(NOW())).await.unwrap()
}

/// Number, whether it is good, and why not.
fn seen(catalog: &Catalog) -> Vec<(u64, Option<String>)> {
    catalog.archives.iter().map(|archive| (archive.id.sequence(), archive.doubt())).collect()
}

#[tokio::test]
async fn whole_archives_are_good_and_what_is_not_ours_is_left_out() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.daily(&shelf, &[1, 2, 3]);
    bench.named("db").daily(&shelf, &[9]);
    for foreign in ["notes.txt", ".mainstay-dest.json", "prime-app.tar.gz.age", "x-20261101T023000Z-000001.json"] {
        shelf.place(foreign, "x", None);
    }
    let catalog = read(&bench, &shelf).await;
    assert_eq!(seen(&catalog), [(1, None), (2, None), (3, None)]);
    assert_eq!((catalog.incomplete.len(), catalog.troubles.len()), (0, 0));
    assert_eq!(catalog.newest_good().unwrap().id.sequence(), 3);
    assert_eq!(catalog.highest_sequence(), 3);
}

#[tokio::test]
async fn two_projects_whose_names_join_to_the_same_are_kept_apart() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.daily(&shelf, &[1]);
    let mut other = bench.sidecar(2, "2026-11-02T02:30:00Z", None);
    (other.project, other.name) = ("pr".to_owned(), "ime-app".to_owned());
    bench.store(&shelf, &other);
    assert_eq!(seen(&read(&bench, &shelf).await), [(1, None)]);
}

#[tokio::test]
async fn a_hundred_archives_take_one_listing_and_two_small_objects_each() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    for number in 1..=100 {
        let day = format!("2026-{:02}-{:02}T02:30:00Z", 1 + number / 28, 1 + number % 28);
        bench.store(&shelf, &bench.sidecar(number, &day, None));
    }
    assert_eq!(read(&bench, &shelf).await.archives.len(), 100);
    let asked = shelf.asked();
    assert_eq!((asked.len(), asked.iter().any(|call| call.ends_with(".age"))), (201, false));
}

#[tokio::test]
async fn backup_case_02_an_archive_without_a_sidecar_is_incomplete() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4]);
    shelf.lose(&format!("{}.json", ids[3]));
    shelf.lose(&format!("{}.tar.gz.age", ids[1]));
    let catalog = read(&bench, &shelf).await;
    assert_eq!(seen(&catalog), [(1, None), (3, None)]);
    let lacks: Vec<_> = catalog.incomplete.iter().map(|it| (it.id.sequence(), it.lack, it.objects.len())).collect();
    assert_eq!(lacks, [(2, Lack::Archive, 2), (4, Lack::Sidecar, 2)]);
    assert_eq!(catalog.newest_good().unwrap().id.sequence(), 3);
    assert_eq!(catalog.highest_sequence(), 4, "its number is taken");
    assert_eq!(catalog.troubles, [""; 0], "no number is missing");
    let error = catalog.find(&ids[3]).unwrap_err();
    assert!(error.to_string().contains("its sidecar is missing"), "{error}");
}

#[tokio::test]
async fn backup_case_08_a_file_of_another_size_than_its_sidecar_says_is_damaged() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 20]);
    shelf.place(&format!("{}.tar.gz.age", ids[1]), "short", None);
    let catalog = read(&bench, &shelf).await;
    let why = "suspect: its file is cut short: it has 5 bytes, and 20 were stored";
    assert_eq!(seen(&catalog), [(1, None), (20, Some(why.to_owned()))]);
    assert!(catalog.archives[1].verified().is_none() && catalog.archives[0].verified().is_some());
    assert_eq!(catalog.find("latest").unwrap().id.sequence(), 1);
}

#[tokio::test]
async fn an_archive_that_was_found_damaged_counts_for_nothing() {
    let mut bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2]);
    bench.seen(&shelf).damaged.push(ids[1].clone());
    assert_eq!(seen(&read(&bench, &shelf).await)[1], (2, Some("suspect: it was found damaged".to_owned())));
}

#[tokio::test]
async fn backup_case_13_a_planted_archive_is_a_strangers() {
    let (bench, attacker) = (Bench::new(), Bench::new());
    let shelf = Memory::new("s3://prime/app");
    let ids = bench.daily(&shelf, &[1, 2]);
    attacker.store(&shelf, &attacker.sidecar(3, "2026-11-20T02:30:00Z", None));
    shelf.lose(&format!("{}.json.minisig", ids[0]));
    let forged = String::from_utf8(shelf.content(&format!("{}.json", ids[1])).unwrap()).unwrap();
    shelf.place(&format!("{}.json", ids[1]), forged.replace("web-1", "web-2"), None);
    let catalog = read(&bench, &shelf).await;
    let origins: Vec<_> = catalog.archives.iter().map(|archive| archive.origin.word()).collect();
    assert_eq!(origins, ["unsigned", "forged", "stranger"]);
    assert!(catalog.newest_good().is_none() && catalog.troubles.is_empty(), "{:?}", catalog.troubles);
    assert!(catalog.find("latest").unwrap_err().to_string().contains("no archive is known to be good"));
    assert_eq!(catalog.archives[2].origin, Origin::Stranger(attacker.signer.public().id()));
}

#[tokio::test]
async fn backup_case_14_an_old_archive_renamed_as_new_is_suspect_and_never_the_latest() {
    let bench = Bench::new();
    let shelf = Memory::new("s3://prime/app");
    let ids = bench.daily(&shelf, &[1, 2, 3]);
    let new = "prime-app-20261123T023000Z-000004";
    for end in [".tar.gz.age", ".json", ".json.minisig"] {
        shelf.rename(&format!("{}{end}", ids[0]), &format!("{new}{end}"));
    }
    let catalog = read(&bench, &shelf).await;
    let (number, doubt) = seen(&catalog).pop().unwrap();
    assert_eq!(number, 4);
    assert!(doubt.unwrap().contains("its sidecar is that of prime-app-20261101T023000Z-000001: it was renamed"));
    assert_eq!(catalog.find("latest").unwrap().id.sequence(), 3);
}

#[tokio::test]
async fn backup_case_14_an_older_state_of_the_destination_is_noticed() {
    let mut bench = Bench::new();
    let shelf = Memory::new("s3://prime/app");
    let ids = bench.daily(&shelf, &[1, 2, 3]);
    let created = "2026-11-03T02:30:00Z".parse().unwrap();
    bench.seen(&shelf).good = Some(Good { id: ids[2].clone(), created, verified: created, content: String::new() });
    assert_eq!(read(&bench, &shelf).await.troubles, [""; 0]);
    for end in [".tar.gz.age", ".json", ".json.minisig"] {
        shelf.lose(&format!("{}{end}", ids[2]));
    }
    let troubles = read(&bench, &shelf).await.troubles;
    assert!(matches!(&troubles[..], [rollback] if rollback.contains("this host has stored")), "{troubles:?}");
}

#[tokio::test]
async fn backup_case_15_a_date_that_the_stores_own_clock_contradicts_is_suspect() {
    let bench = Bench::new();
    let mut shelf = Memory::new("s3://prime/app");
    let ids = bench.daily(&shelf, &[1, 2]);
    let later = Some("2026-11-09T02:30:00Z".parse().unwrap());
    shelf.place(&format!("{}.tar.gz.age", ids[1]), "xx", later);
    assert_eq!(
        seen(&read(&bench, &shelf).await)[1].1,
        None,
        "the date of a file is anybody's: it may have been copied"
    );
    shelf.keeps_time = true;
    let doubt = seen(&read(&bench, &shelf).await)[1].1.clone().unwrap();
    assert!(doubt.contains("long after it was made"), "{doubt}");
}

#[tokio::test]
async fn backup_case_18_a_failed_listing_is_an_error_and_never_an_empty_catalogue() {
    let bench = Bench::new();
    for (what, after, reason) in [
        ("list", 0, Reason::Unreachable),
        ("list", 0, Reason::Permission),
        ("open", 0, Reason::Credentials),
        ("open", 5, Reason::Unreachable),
    ] {
        let shelf = Memory::new("s3://prime/app");
        bench.daily(&shelf, &[1, 2, 3]);
        shelf.fail(what, after, reason);
        let read = Catalog::read(&shelf, &bench.stock(&shelf).query(NOW())).await;
        assert_eq!(read.unwrap_err().reason, reason, "{what} {after}");
    }
}

#[tokio::test]
async fn a_sidecar_that_says_nothing_is_no_leftover() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    let sidecar = |at: usize| format!("{}.json", ids[at]);
    shelf.place(&sidecar(0), "", None);
    shelf.place(&sidecar(1), vec![b' '; usize::try_from(LARGEST).unwrap() + 1], None);
    shelf.place(&sidecar(2), "{\"schema\": 2}", None);
    shelf.fail(&format!("open {}", sidecar(3)), 0, Reason::Damaged);
    let catalog = read(&bench, &shelf).await;
    assert_eq!(seen(&catalog), [(5, None)]);
    assert!(catalog.incomplete.iter().all(|it| it.lack == Lack::Sense && it.objects.len() == 3));
    let why: Vec<_> = catalog.incomplete.iter().map(|it| it.why.as_str()).collect();
    assert!(why[1].contains("larger than 1024 KiB") && why[2].contains("schema 2"), "{why:?}");
}

#[tokio::test]
async fn an_archive_that_goes_between_listing_and_reading_is_incomplete() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2]);
    shelf.fail(&format!("open {}.json", ids[0]), 0, Reason::Missing);
    let catalog = read(&bench, &shelf).await;
    assert_eq!((seen(&catalog), catalog.incomplete[0].lack), (vec![(2, None)], Lack::Sidecar));
}

#[tokio::test]
async fn a_second_file_of_an_archive_does_not_take_its_place() {
    let bench = Bench::new();
    let shelf = Memory::new("rclone:gdrive:backups");
    let ids = bench.daily(&shelf, &[1, 2]);
    shelf.place(&format!("{}.tar.zst.age", ids[0]), "planted", None);
    shelf.rename(&format!("{}.tar.gz.age", ids[1]), &format!("{}.tar.zst.age", ids[1]));
    let catalog = read(&bench, &shelf).await;
    assert_eq!(seen(&catalog)[0], (1, None));
    assert_eq!(catalog.archives[0].object.name, format!("{}.tar.gz.age", ids[0]));
    assert!(seen(&catalog)[1].1.as_ref().unwrap().contains("its sidecar speaks of"), "{:?}", seen(&catalog));
}

#[tokio::test]
async fn an_archive_is_found_by_its_id_or_the_beginning_of_it_or_its_date() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 10, 11]);
    let catalog = read(&bench, &shelf).await;
    for (wanted, number) in [
        (ids[1].as_str(), 2),
        ("prime-app-20261102", 2),
        ("20261110", 10),
        ("20261101T023000Z-000001", 1),
        ("latest", 11),
    ] {
        assert_eq!(catalog.find(wanted).unwrap().id.sequence(), number, "{wanted}");
    }
    let why = |wanted: &str| catalog.find(wanted).unwrap_err().to_string();
    assert!(
        why("2026111").contains("2 begin so: prime-app-20261111T023000Z-000011, prime-app-20261110"),
        "{}",
        why("2026111")
    );
    assert!(why("prime").contains("4 begin so") && why("prime").ends_with(", …"), "{}", why("prime"));
    assert!(why("20261201").ends_with("there is none") && why("").ends_with("there is none"));
    assert!(Catalog::default().find("latest").unwrap_err().to_string().contains("there is no archive"));
}
