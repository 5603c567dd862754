CREATE TABLE t(id int PRIMARY KEY, i inet NOT NULL DEFAULT '127.0.0.1', c cidr, m macaddr, m8 macaddr8, ia inet[], ca cidr[], ma macaddr[]);
