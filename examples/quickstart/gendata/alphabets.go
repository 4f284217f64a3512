package main

// Names in other alphabets, those written from right to left among them.
var otherAlphabets = []locale{
	{names("Фёдор Ольга Сергей Ксения Юлия"), names("Щербаков Жуковская Ёлкин Объедков"), familyFirst, "00 00 ######", russian},
	{names("Їжак Ґалина Євген Соломія"), names("Ґжицький Їжакевич Шевченко Кравчук"), familyFirst, "00000#####", russian},
	{names("Ђорђе Љубица Његош Џејна"), names("Ћирић Ђуровић Пешић Живковић"), givenFirst, "##00#########", russian},
	{names("Айгүл Нұрлан Әсем Қанат"), names("Қуанышбаев Өтепова Жұмабаев Ғабдуллина"), familyFirst, "##00########", russian},
	{names("Γιώργος Ελένη Σπύρος Χρυσαΐς"), names("Παπαδόπουλος Μαυρομιχάλης Οικονόμου Ταξιάρχης"), givenFirst, "##00#######", greek},
	{names("Արամ Անուշ Տիգրան"), names("Պետրոսյան Հակոբյան Ղազարյան"), givenFirst, "TEST-AM-#######", english},
	{names("გიორგი ნინო თამარ"), names("ბერიძე მაისურაძე ჯანაშია"), givenFirst, "TEST-GE-#######", english},
	{names("محمد فاطمة عبد_الرحمن زينب"), names("الحسيني بن_سعيد المصري القُرَشيّ"), givenFirst, "9#############", arabic},
	// The zero-width non-joiner is part of the spelling in Persian.
	{names("علی\u200cرضا مریم نگین پرویز"), names("حسین\u200cزاده رضایی گل\u200cمحمدی"), givenFirst, "TEST-IR-#######", arabic},
	{names("عائشہ حمزہ ثریّا"), names("قریشی چوہدری بھٹّی"), givenFirst, "00000-#######-0", arabic},
	{names("שרה יוסף נֹעַם תמר"), names("כהן לוי בן־דוד פרידמן"), givenFirst, "########!", hebrew},
	{names("አበበ ትርንጎ ሙሉነሽ"), names("ከበደ ተሰማ ወልደማርያም"), givenFirst, "TEST-ET-#######", english},
}

var (
	russian = []string{"Аллергия на йод.", "Жалоб нет; следующий приём — в понедельник", "Принимает «Эналаприл» 5 мг"}
	greek   = []string{"Αλλεργία στην ασπιρίνη.", "ΕΠΕΙΓΟΝ: επανεξέταση σε δύο εβδομάδες"}
	arabic  = []string{"حساسية من البنسلين.", "الموعد القادم: ١٢ مايو, الساعة 10:30 (\"مؤكد\")", "یادداشت: فشار خون طبیعی"}
	hebrew  = []string{"רגישות לפניצילין.", "ביקורת בעוד שבועיים, ד\"ר לוי (טלפון 03-555-0100)"}
)
