INSERT INTO t(id,x) VALUES (1,'<?xml version="1.0" encoding="UTF-8"?><a>é &lt; </a>'),(2,'plain'),(3,NULL),(4,'<!-- c --><a/>'),(5,'');
