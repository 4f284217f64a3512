package main

// Names in Latin script, most with diacritics. Given and family names are
// common ones, put together by chance.
var latin = []locale{
	{names("Mary James Siân Patrick Anne-Marie DeShawn"), names("O'Neil Smith-Jones MacDonald D’Arcy Brontë"), comma, "666-##-####", english},
	{names("Oliver Amelia Zoë Rhys Chloé"), names("Fitzgerald St._John Llewellyn Okafor Patel"), givenFirst, "QQ######C", english},
	{names("Seán Órla Ciarán Sinéad Pádraig"), names("Ó_Briain Ní_Dhomhnaill Mac_Giolla_Íosa Ó_Súilleabháin"), givenFirst, "TEST-IE-#######", english},
	{names("Jürgen Käthe Björn Grete Sören"), names("Müller Groß Weiß Schröder von_der_Heide Ößwald"), givenFirst, "0##########", german},
	{names("Zoë Éloïse François Noël Anaïs"), names("Lefèvre D’Aubigné Garçon Crétien Œuvrard"), givenFirst, "0 ## ## ## ### ### ##", french},
	{names("Begoña Iñaki José_María Ángela Raúl"), names("Núñez_Ibáñez Güemes_Peña Muñoz_Ávila Yáñez"), givenFirst, "########-U", spanish},
	{names("João Conceição Inês Estêvão Luísa"), names("Magalhães Araújo Simões Gonçalves_Brandão"), givenFirst, "TEST-BR-#######", spanish},
	{names("Núria Lluís Mercè Oriol"), names("Puigdengolas Gal·lart Solà Castellà"), givenFirst, "########-U", spanish},
	{names("Žofie Jiří Šárka Tomáš Běla"), names("Dvořák Růžička Čapková Šťastný Ďurďa"), givenFirst, "##00##/####", czech},
	{names("Łukasz Małgorzata Żaneta Świętosława"), names("Brzęczyszczykiewicz Źrebak Dąbrowska Wójcik"), givenFirst, "##00#######", czech},
	{names("Ágnes Győző Örs Emőke Ünige"), names("Szűcs Őry Kővári Fülöp Nagy-Tőkés"), familyFirst, "1-##00##-####", english},
	{names("Ștefan Țuța Mădălina Ionuț"), names("Brâncoveanu Ștefănescu Țăranu Băsăraba"), givenFirst, "9##00########", english},
	{names("İbrahim Işıl Gülşah Çağrı"), names("Yıldız Öztürk Iğdır Şimşek İnanç"), givenFirst, "0##########", turkish},
	{names("Þórdís Guðrún Ævar Jökull"), names("Sigurðardóttir Þorvaldsson Ólafsdóttir Ægisson"), givenFirst, "00####-####", english},
	{names("Åse Ørjan Håkon Astrid Märta"), names("Ångström Bjørnstad Sjögren Hägglund Øvergård"), givenFirst, "##00#######", english},
	{names("Õnne Jüri Mārtiņš Žydrūnė Väinö"), names("Mägi Bērziņš Žukauskienė Hämäläinen Kõiv"), givenFirst, "##00##-9###", english},
	{names("Ánh Thị_Hường Đức Minh_Thuận Quỳnh"), names("Nguyễn Trần Phạm Đặng Huỳnh Lưỡng"), familyFirst, "999#########", vietnamese},
	{names("Adébáyọ̀ Ọláìtán Ṣadé Fẹ́mi"), names("Adéwálé Ọ̀ṣọ́ Ògúnlẹ́yẹ Akínṣọlá"), givenFirst, "TEST-NG-#######", english},
	{names("Kaʻiulani Māhealani Keʻala Wiremu Tāmati"), names("Kāneʻohe Ngāpuhi Te_Whāiti Kealiʻi"), givenFirst, "TEST-NZ-#######", english},
}

var (
	english    = []string{"Allergic to penicillin.", "Prefers to be called by the second name.", "Blood pressure 120/80, follow-up in 6 weeks", "No known allergies; see letter of 3 May."}
	german     = []string{"Verträgt kein Ibuprofen.", "Größe 1,73 m, Gewicht 68 kg", "Rückruf erbeten – „dringend“"}
	french     = []string{"Allergie à la pénicilline", "À revoir dans six mois : « si possible » le matin."}
	spanish    = []string{"¿Alérgica al látex? Sí.", "Próxima revisión: mañana por la mañana"}
	czech      = []string{"Užívá léky na ředění krve.", "Zażółć gęślą jaźń – kontrola za 3 miesiące"}
	turkish    = []string{"Işığa duyarlı, İLAÇ kullanmıyor.", "Kontrol: iki hafta sonra"}
	vietnamese = []string{"Dị ứng với hải sản, tái khám sau 3 tháng.", "Huyết áp ổn định"}
)
