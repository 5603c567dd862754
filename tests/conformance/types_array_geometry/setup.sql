CREATE TABLE t(id int PRIMARY KEY, b box[], c circle[], l line[], s lseg[], p path[], g polygon[], bn box[] NOT NULL DEFAULT '{}', cn circle[] DEFAULT '{"<(1,2),3>"}');
