CREATE EXTENSION isn;
CREATE TABLE t(id int PRIMARY KEY, i isbn, i13 isbn13, s issn, s13 issn13, m ismn, m13 ismn13, e ean13, u upc, n isbn NOT NULL DEFAULT '0-393-04002-X', a isbn[]);
