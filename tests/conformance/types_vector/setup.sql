CREATE EXTENSION vector;
CREATE TABLE t(id int PRIMARY KEY, v vector(3), h halfvec(3), s sparsevec(25), vr vector, vn vector(2) NOT NULL DEFAULT '[0,1]', va vector(2)[]);
