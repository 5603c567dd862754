INSERT INTO public.t(id) VALUES (1);
UPDATE public.t SET s='z', d='infinity', ts='0044-03-15 01:02:03 BC', tz='-infinity' WHERE id=1;
DELETE FROM public.t;
