CREATE TABLE orders_1(id int PRIMARY KEY, v text); CREATE TABLE orders_2(id int PRIMARY KEY, v text); CREATE TABLE other(id int PRIMARY KEY);
