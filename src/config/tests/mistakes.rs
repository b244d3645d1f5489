//! Every problem with its whole text: what people read when something is wrong is as much an interface as a flag.

use super::*;

/// Lines below a good Enterprise Manager (the first is line 5), and what is said about them.
#[test]
fn a_mistake_in_the_file_is_told_with_its_line_and_its_mend() {
    for (lines, said) in [
        ("nmae = 'x'", "vemsync.toml:5: unknown key nmae in [[enterprise_manager]]; did you mean name?"),
        (
            "password = 'hunter2'",
            "vemsync.toml:5: unknown key password in [[enterprise_manager]]; \
             a password does not stand in this file: put it into a file of its own, name that as password_file",
        ),
        (
            "[sync]\nzzz = 1",
            "vemsync.toml:6: unknown key zzz in [sync]; [sync] has: kinds, page_size, backfill, interval, overlap",
        ),
        ("[snyc]\n", "vemsync.toml:5: unknown section [snyc]; did you mean [sync]?"),
        (
            "[[enterprise_managers]]\n",
            "vemsync.toml:5: unknown section [enterprise_managers]; did you mean [[enterprise_manager]]?",
        ),
        (
            "[enterprise_manager.failovr]\n",
            "vemsync.toml:5: unknown key failovr in [[enterprise_manager]]; did you mean failover?",
        ),
        (
            "[zzz]\n",
            "vemsync.toml:5: unknown section [zzz]; the sections are: database, sync, retention, http, log, failover, enterprise_manager",
        ),
        ("[[sync]]\n", "vemsync.toml:5: sync is an array of tables; write it as a section, once: [sync]"),
        (
            "[sync]\npage_size = '500'",
            "vemsync.toml:6: page_size is a string; give a whole number without quotes, such as page_size = 500",
        ),
        ("[sync]\ninterval = 60", "vemsync.toml:6: interval is an integer; give text, such as interval = \"60s\""),
        (
            "[failover]\nenabled = 'yes'",
            "vemsync.toml:6: enabled is a string; give true or false, without quotes, such as enabled = false",
        ),
        (
            "[sync]\nkinds = ['RestoreSession', 5]",
            "vemsync.toml:6: kinds holds something else than text; give text, or an array of texts, such as kinds = [\"BackupJobSession\"]",
        ),
        ("[sync]\nkinds = []", "vemsync.toml:6: kinds is empty; name at least one, or remove the key"),
        (
            "[sync]\nkinds = [\n  'RestoreSession',\n  'BackupJob',\n]",
            "vemsync.toml:8: there is no session type \"BackupJob\"; did you mean BackupJobSession?",
        ),
        ("[sync]\npage_size = 0", "vemsync.toml:6: the page size is \"0\"; give a number from 1 to 10000"),
        ("[sync]\npage_size = 10001", "vemsync.toml:6: the page size is \"10001\"; give a number from 1 to 10000"),
        ("[sync]\ninterval = '999ms'", "vemsync.toml:6: an interval of \"999ms\" is too short; give at least 1s"),
        (
            "[sync]\ninterval = '60'",
            "vemsync.toml:6: \"60\" is no span of time; give a number with a unit (s, m, h, d), such as 60s",
        ),
        (
            "[sync]\noverlap = '-2h'",
            "vemsync.toml:6: \"-2h\" is no span of time; give a number with a unit (s, m, h, d), such as 2h",
        ),
        (
            "[sync]\nbackfill = 'ever'",
            "vemsync.toml:6: \"ever\" is no span of time; give a number with a unit (s, m, h, d), such as 90d, or all",
        ),
        (
            "[sync]\nbackfill = '200y'",
            "vemsync.toml:6: \"200y\" is longer than 100 years; give a number with a unit (s, m, h, d), such as 90d, or all",
        ),
        (
            "[http]\nlisten = '9399'",
            "vemsync.toml:6: \"9399\" is no address to listen on; give IP:PORT, such as 127.0.0.1:9399 or [::1]:9399",
        ),
        (
            "[http]\nlisten = '0.0.0.0:80'",
            "vemsync.toml:6: 0.0.0.0:80 can be reached from other machines, and shows jobs and machines to whoever asks; protect it with basic_auth_file in [http], or set public = true there if something in front of it does",
        ),
        (
            "[http]\nbasic_auth_file = 'em.password'",
            "vemsync.toml:6: the file holds no user:password; write it as one line, such as operator:PASSWORD",
        ),
        (
            "[retention]\nkeep = '30d'",
            "vemsync.toml:6: \"30d\" is less than the 13 weeks for which Enterprise Manager itself keeps sessions; give at least 92d, or forever",
        ),
        (
            "[retention]\nkeep = 'seven'",
            "vemsync.toml:6: \"seven\" is no span of time; give a number with a unit (s, m, h, d), such as 7y, or forever",
        ),
        ("[log]\nformat = 'xml'", "vemsync.toml:6: there is no log format \"xml\"; give text or json"),
        (
            "[log]\nlevel = 'loud'",
            "vemsync.toml:6: there is no log level \"loud\"; give error, warn, info, debug or trace",
        ),
        (
            "[database]\nurl = 'mysql://u:hunter2@h/d'",
            "vemsync.toml:6: mysql is no database that vemsync writes to; give sqlite:PATH or postgres://USER@HOST/DATABASE",
        ),
        (
            "[database]\nurl = 'sqlite:v.db'\npassword_file = 'em.password'",
            "vemsync.toml:7: SQLite takes no password; remove password_file, or give a postgres:// url",
        ),
        (
            "[database]\nurl = 'postgres://v:hunter2@db/v'\npassword_file = 'em.password'",
            "vemsync.toml:7: the password is given twice, in the url and as password_file; take it out of the url",
        ),
        (
            "name = ''",
            "vemsync.toml:5: \"\" cannot name an Enterprise Manager; give 1 to 100 characters, without spaces around them and without control characters",
        ),
        (
            "certificate_sha256 = ['AA:BB']",
            "vemsync.toml:5: the fingerprint has 4 digits instead of 64; give the 64 hexadecimal digits that `openssl x509 -noout -fingerprint -sha256` prints",
        ),
        (
            "[enterprise_manager.failover]\nusername = 'x'",
            "vemsync.toml:5: [enterprise_manager.failover] has no password_file; give both username and password_file, or remove the section",
        ),
        (
            "ca_file = 'absent.pem'",
            "vemsync.toml:5: the certificate file DIR/absent.pem cannot be read: No such file or directory (os error 2); correct the path, or let this account read it",
        ),
    ] {
        assert_eq!(with(lines).problems(Need::Manager), said, "{lines}");
    }
}

/// One Enterprise Manager in the file, written like this.
#[test]
fn a_mistake_in_an_enterprise_manager_is_told_with_its_mend() {
    let section = |url: &str, username: &str, password_file: &str| {
        format!("[[enterprise_manager]]\nurl = {url}\nusername = {username}\npassword_file = {password_file}\n")
    };
    let good = ("'https://em.example'", "'svc'", "'em.password'");
    for (url, username, password_file, said) in [
        (
            "'http://em.example:9399'",
            good.1,
            good.2,
            "vemsync.toml:2: plain http:// would send the password readable through the network; use https://, or set allow_plain_http = true below [[enterprise_manager]] in the file",
        ),
        (
            "'em.example:9398'",
            good.1,
            good.2,
            "vemsync.toml:2: the url does not begin with https://; write it like https://em.example:9398",
        ),
        (
            "'em.example'",
            good.1,
            good.2,
            "vemsync.toml:2: the url is not one: relative URL without a base; write it like https://em.example:9398",
        ),
        (
            "'https://u:hunter2@em.example'",
            good.1,
            good.2,
            "vemsync.toml:2: the url holds a user name or a password; take them out: give username and password_file",
        ),
        (
            "'https://em.example/?v=latest'",
            good.1,
            good.2,
            "vemsync.toml:2: the url has a query (?…) or a fragment (#…); write it like https://em.example:9398",
        ),
        (
            "'https://em.example/web'",
            good.1,
            good.2,
            "vemsync.toml:2: the url has a path that does not end in /api; write it like https://em.example:9398",
        ),
        (
            "5",
            good.1,
            good.2,
            "vemsync.toml:2: url is an integer; give text, such as url = \"https://em.example:9398\"",
        ),
        (
            good.0,
            "''",
            good.2,
            "vemsync.toml:3: the username is empty; give the account, such as 'EXAMPLE\\svc-vemsync'",
        ),
        (
            good.0,
            "'a:b'",
            good.2,
            "vemsync.toml:3: the username contains a colon; use another account: HTTP Basic logon cannot carry a colon in it",
        ),
        (
            good.0,
            "\"EXAMPLE\\backup\"",
            good.2,
            "vemsync.toml:3: the username contains a control character; in a TOML file, write a backslash as \\\\, or the name in single quotes: 'EXAMPLE\\svc'",
        ),
        (
            good.0,
            good.1,
            "'open.password'",
            "vemsync.toml:4: the password file DIR/open.password is open to other accounts (mode 644); run: chmod 600 DIR/open.password",
        ),
    ] {
        assert_eq!(World::new().file(&section(url, username, password_file)).problems(Need::Manager), said);
    }
    let world = World::new().file(&section("'http://em.example:9399'\nallow_plain_http = true", good.1, good.2));
    assert!(world.load(Need::Manager).managers[0].allow_plain_http);
}

#[test]
fn a_mistake_in_a_flag_or_a_variable_is_told_with_its_name() {
    let em = || with("");
    for (world, said) in [
        (
            em().env("VEMSYNC_PAGE_SIZE", "many"),
            "VEMSYNC_PAGE_SIZE: the page size is \"many\"; give a number from 1 to 10000",
        ),
        (
            em().env("VEMSYNC_INSECURE", "perhaps"),
            "VEMSYNC_INSECURE: \"perhaps\" is neither true nor false; give true or false",
        ),
        (
            em().env("RUST_LOG", "vemsync=loud"),
            "RUST_LOG: this is no log filter: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write it like info,vemsync=debug",
        ),
        (
            em().env("VEMSYNC_PASSWORD", "hunter2\n"),
            "VEMSYNC_PASSWORD: the password contains a control character; give the password alone, on one line",
        ),
        (
            em().env("VEMSYNC_PASSWORD", "hunter2").env("VEMSYNC_PASSWORD_FILE", "em.password"),
            "VEMSYNC_PASSWORD: the password is given twice, also by VEMSYNC_PASSWORD_FILE; unset it, or VEMSYNC_PASSWORD_FILE",
        ),
        (
            em().flags(|flags| flags.kinds = vec!["Restore".to_owned()]),
            "--kind: there is no session type \"Restore\"; did you mean RestoreSession?",
        ),
        (
            em().flags(|flags| flags.certificate_sha256 = ["a", "b", "c"].map(|digit| digit.repeat(64)).to_vec()),
            "--certificate-sha256: 3 certificates are pinned; give one, or two during a rotation",
        ),
        (
            em().flags(|flags| flags.config = Some("absent.toml".into())),
            "--config: the configuration file absent.toml cannot be read: No such file or directory (os error 2); \
             correct the path, or write the file with `vemsync init`",
        ),
        (
            World::new().flags(|flags| flags.url = Some("https://em.example".into())),
            "settings: the Enterprise Manager has no username; give --username 'EXAMPLE\\svc-vemsync', or set VEMSYNC_USERNAME\n\
             settings: the Enterprise Manager has no password_file; give --password-file \"vemsync.password\", or set VEMSYNC_PASSWORD_FILE",
        ),
    ] {
        assert_eq!(world.problems(Need::Manager), said);
    }
}

#[test]
fn what_is_no_toml_is_told_without_quoting_the_line() {
    for (text, said) in [
        ("[sync\n", "vemsync.toml:1: this is not TOML"),
        ("[sync]\npassword = \"hunter2\nx = 1\n", "vemsync.toml:2: this is not TOML"),
        ("[sync]\npage_size = 1\npage_size = 2\n", "vemsync.toml:3: this is not TOML: duplicate key"),
        ("page_size = 5\n", "vemsync.toml:1: unknown key page_size; put it below [sync]"),
        (
            "[enterprise_manager]\n",
            "vemsync.toml:1: enterprise_manager is not a list of sections; write [[enterprise_manager]]",
        ),
    ] {
        let printed = World::new().file(text).problems(Need::Database);
        assert!(printed.starts_with(said), "{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
    let printed = World::new().file("[[enterprise_manager]]\nusername = \"EXAMPLE\\svc\"\n").problems(Need::Manager);
    assert!(printed.starts_with("vemsync.toml:2: ") && printed.contains("'EXAMPLE\\svc'"), "{printed}");
    let world = World::new();
    fs::write(world.folder.path().join(FILE_NAME), b"\xff").unwrap();
    assert_eq!(world.problems(Need::Manager), "vemsync.toml: the file is not UTF-8; save it as UTF-8");
}

#[test]
fn all_problems_come_at_once() {
    let world = World::new()
        .file("[sync]\npage_size = 0\n[http]\nlisten = ''\n")
        .env("VEMSYNC_INTERVAL", "0s")
        .flags(|flags| flags.overlap = Some("two hours".to_owned()));
    let places: Vec<_> =
        world.try_load(Need::Manager).unwrap_err().iter().map(|problem| problem.place.to_string()).collect();
    assert_eq!(places, ["vemsync.toml:2", "vemsync.toml:4", "VEMSYNC_INTERVAL", "--overlap", "settings"]);
}
