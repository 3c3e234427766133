//! What runs in the containers: each does its work, says so, and idles.

use crate::root::Root;

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// What it is called.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A script for busybox.
    Busybox(&'static str),
    /// A script for the shell of the Debian system.
    System(&'static str),
    Postgres,
    Rust,
    Go,
    I386,
}

/// All of them but those that take much to make.
pub const ALL: [Workload; 8] = [
    Workload { name: "busybox", kind: Kind::Busybox(BUSYBOX) },
    Workload { name: "nginx", kind: Kind::System(NGINX) },
    Workload { name: "redis", kind: Kind::System(REDIS) },
    Workload { name: "memcached", kind: Kind::System(MEMCACHED) },
    Workload { name: "python", kind: Kind::System(PYTHON) },
    Workload { name: "postgres", kind: Kind::Postgres },
    Workload { name: "rust", kind: Kind::Rust },
    Workload { name: "i386", kind: Kind::I386 },
];

/// The others.
pub const ON_REQUEST: [Workload; 1] = [Workload { name: "go", kind: Kind::Go }];

const BUSYBOX: &str = r#"
set -e
echo word > /tmp/file
[ "$(cat /tmp/file | tr o a)" = ward ]
cp /tmp/file /tmp/copy
mv /tmp/copy /tmp/moved
ls -l /tmp > /dev/null
# Waits in one way only: not for what may have ended already.
sleep 0.2 & wait
rm /tmp/file /tmp/moved
echo workload done
exec /worker idle
"#;

const NGINX: &str = r#"
set -e
nginx
for request in 1 2 3; do
    busybox wget -q -O - http://127.0.0.1/ | grep -q 'Welcome to nginx'
done
echo workload done
exec /worker idle
"#;

const REDIS: &str = r#"
set -e
# Whether the server answers the first ping depends on the machine: what follows a refused one is always made.
! redis-cli ping > /dev/null 2>&1
redis-server --save '' --daemonize yes > /dev/null
until redis-cli ping 2> /dev/null | grep -q PONG; do :; done
redis-benchmark -q -n 2000 -t set,get > /dev/null
redis-cli set key value > /dev/null
[ "$(redis-cli get key)" = value ]
echo workload done
exec /worker idle
"#;

const MEMCACHED: &str = r#"
set -e
! busybox nc 127.0.0.1 11211 < /dev/null > /dev/null 2>&1
memcached -d -u memcache -l 127.0.0.1
until printf 'version\r\nquit\r\n' | busybox nc 127.0.0.1 11211 2> /dev/null | grep -q VERSION; do :; done
printf 'set key 0 0 5\r\nvalue\r\nget key\r\nquit\r\n' | busybox nc 127.0.0.1 11211 | grep -q '^value'
echo workload done
exec /worker idle
"#;

const PYTHON: &str = r#"
set -e
python3 -c '
import os, threading
found = []
lock = threading.Lock()
def work(number):
    path = "/tmp/python-%d" % number
    for step in range(200):
        with open(path, "w") as file:
            file.write(str(step))
        with lock:
            found.append(open(path).read())
    os.unlink(path)
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(found) == 800
'
echo workload done
exec /worker idle
"#;

const POSTGRES: &str = r#"
set -e
initdb --no-sync -D /tmp/database > /dev/null
pg_ctl -D /tmp/database -o '-F -k /tmp' -l /tmp/log -w start > /dev/null
[ "$(psql -h /tmp -At -d postgres -c 'select sum(n) from generate_series(1, 100) n')" = 5050 ]
psql -q -h /tmp -d postgres -c 'create table t as select 1 as one' -c 'vacuum analyze t'
echo workload done
exec /worker idle
"#;

impl Workload {
    /// The workload of that name.
    pub fn named(name: &str) -> Self {
        let found = ALL.into_iter().chain(ON_REQUEST).find(|workload| workload.name == name);
        found.unwrap_or_else(|| panic!("{name} is a workload"))
    }

    /// Its words and its user, or why it cannot run on this root.
    pub fn order(self, root: &Root) -> Result<(Vec<String>, u32), String> {
        let shell = |words: &[&str], script: &str| {
            words.iter().chain(&["-c", script]).map(|&word| word.to_owned()).collect::<Vec<_>>()
        };
        match self.kind {
            Kind::Busybox(script) => Ok((shell(&["/bin/busybox", "sh"], script), 0)),
            Kind::System(script) => {
                root.system.clone()?;
                Ok((shell(&["/bin/sh"], script), 0))
            }
            Kind::Postgres => {
                root.system.clone()?;
                let directory = root.postgres()?;
                let script = format!("PATH={}:$PATH\n{POSTGRES}", directory.display());
                Ok((shell(&["/bin/sh"], &script), root.user("postgres")?))
            }
            Kind::Rust => Ok((vec!["/worker".into(), "work".into()], 0)),
            Kind::Go => {
                root.go.clone()?;
                Ok((vec!["/server".into()], 0))
            }
            Kind::I386 => {
                root.i386.clone()?;
                Ok((vec!["/i386".into()], 0))
            }
        }
    }
}
